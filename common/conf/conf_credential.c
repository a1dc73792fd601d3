/* Secrets from systemd: files that only the service can read, so that neither
 * the configuration file nor the environment has to hold them. */
#include "common/conf/conf_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* n: as conf_slurp() says. */
static int take(struct conf_reading *rd, enum conf_id id, char *text, ssize_t n)
{
	if (n == -EFBIG)
		return conf_error(rd, id, "longer than the %" PRId64 " bytes that "
				  "are allowed", conf_keys[id].max);
	if (n < 0) {
		conf_error(rd, id, "%s", n == -EINVAL ? "not a regular file" :
							strerror((int)-n));
		return (int)n;
	}
	if (memchr(text, '\0', (size_t)n) != NULL)
		return conf_error(rd, id, "contains a NUL byte");
	n -= n > 0 && text[n - 1] == '\n';
	text[n] = '\0';
	return conf_set_raw(rd, id, text);
}

int conf_read_credential(struct conf_reading *rd, enum conf_id id)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t room = (size_t)conf_keys[id].max + 2;	/* a newline; one too many */
	struct buf path = { 0 };
	char *text;
	ssize_t n;
	int rc = 0;

	if (conf_keys[id].type != CONF_SECRET || dir == NULL)
		return 0;
	text = mem_alloc(room);
	buf_printf(&path, "%s/%s", dir, conf_keys[id].key);
	n = conf_slurp(buf_str(&path), text, room);
	buf_free(&path);
	if (n != -ENOENT) {
		rd->origin[id].credential = true;
		rc = take(rd, id, text, n);
	}
	explicit_bzero(text, room);
	free(text);
	return rc;
}
