/* Texts of notifications per type and locale, from an INI file (push_templates):
 *
 *   [new_message]
 *   title = {senderName}
 *   body = {content}
 *   body_else = New message
 *   [new_message de]
 *   body_else = Neue Nachricht
 *   [default]
 *   title = Something happened
 *   sound = chime.caf
 *
 * A section is a type ("default" for those without one), and perhaps a locale.
 * {name} is a member of the event's data (strings, numbers, booleans; missing:
 * nothing; "{{" is a brace). When a member that title or body names is missing
 * or empty, title_else or body_else is taken instead, if there is one.
 *
 * A key that a section leaves out comes from the type's section of the next
 * shorter locale (RFC 4647, 3.4: de-AT, de, none), then from those of default.
 * The built-in texts are such a file, which this one goes over: [new_message],
 * [new_match] and [default]. Read whole or not at all. Immutable once read. */
#ifndef PW_PUSHD_TEMPLATES_H
#define PW_PUSHD_TEMPLATES_H

#include <jansson.h>

#include "common/base/buf.h"

#define TEMPLATES_ERR_MAX 256

struct templates;

/* path "" or NULL: the built-in texts. 0, or -errno with "file: ..." / -EINVAL
 * with "file:line: ..." in err. */
int templates_load(const char *path, struct templates **out,
		   char err[TEMPLATES_ERR_MAX]) MUST_CHECK;
void templates_free(struct templates **t);	/* NULLs *t */

/* Appends the finished texts, valid UTF-8. locale: BCP 47 or POSIX ("de-AT",
 * "de_AT.UTF-8"), any case; "": none. */
void templates_text(const struct templates *t, const char *type,
		    const char *locale, const json_t *data, struct buf *title,
		    struct buf *body);
/* The sound for this type and locale; "" for none. "default" unless the file
 * says otherwise. Borrowed. */
const char *templates_sound(const struct templates *t, const char *type,
			    const char *locale);

#endif
