/* Log lines as entries of systemd's journal (systemd.journal-fields(7)):
 *   MESSAGE            the line's text
 *   PRIORITY           its level
 *   SYSLOG_IDENTIFIER  the program
 *   PW_PROCESS         which of its processes: "worker[12]"
 *   PW_WORKER          12: the instance, of a worker's lines only
 *   PW_<KEY>           each key=value of the text: user=u1 is PW_USER=u1
 * A key is a word of letters, digits and underscores that begins with a letter;
 * one whose field's name would be longer than 60 characters stays in the text
 * only. A value goes up to the next space; one in "quotes" to the last quote of the
 * line: it is the last. Of two with one name the first counts. */
#ifndef PW_JOURNAL_H
#define PW_JOURNAL_H

#include <sys/uio.h>

#include "common/base/log.h"

#define JOURNAL_NAME_MAX 60
#define JOURNAL_FIELDS_MAX 40
#define JOURNAL_BYTES_MAX 6144

/* Lines go to the journal from now on if standard error is the journal, which
 * JOURNAL_STREAM says (systemd.exec(5)); else nothing changes. What the journal
 * does not take goes to standard error. program: "pairwire", kept.
 * Until journal_settle() errors are lines of standard error, without fields: whose
 * an entry is the journal looks up when it reads it, and who has ended by then is
 * nobody's, so that `journalctl -u` would not say why. The stream is the unit's. */
void journal_open(const char *program);
/* The process serves: what comes from now on is not its last line. */
void journal_settle(void);

/* What is sent: v, n of them, point into bytes. Fields beyond its bounds are
 * left out; the first, MESSAGE, is cut. */
struct journal_entry {
	struct iovec v[JOURNAL_FIELDS_MAX];
	int n;
	char bytes[JOURNAL_BYTES_MAX];
	size_t used;
};
void journal_entry(struct journal_entry *out, const char *program,
		   enum log_level level, const char *who, struct slice text);

#endif
