/* A schema of its own in the test's database, with Pairwire's tables in it, and
 * a directory that reads it. Suite "directory" sets it up and takes it down. */
#ifndef PW_TEST_DIRECTORY_FIXTURE_H
#define PW_TEST_DIRECTORY_FIXTURE_H

#include <libpq-fe.h>

#include "tests/servers/directory/proxy.h"
#include "tests/servers/loop_wait.h"
#include "worker/directory.h"

extern struct loop *l;
extern PGconn *db;
extern struct proxy *proxy;	/* directories opened with via_proxy use it */
extern struct directory *d;
extern struct directory_conf conf;	/* of open_directory(); change it before */

/* Runs statements; the test fails if they do. */
void sql(const char *fmt, ...) PRINTF(1, 2);
long sql_long(const char *fmt, ...) PRINTF(1, 2);
/* d = a directory that is up and whose LISTEN is proven. */
void open_directory(bool via_proxy);
int64_t gauge(const char *name);

/* Reads of the matches table are counted from here on, and take as long as
 * table `delay` says: the app's table is mapped by a view. */
void map_matches(void);
long match_reads(void);

/* An answer of directory_match. */
struct answer {
	int calls;
	int err;
	bool exists, live;
	char id[64], a[64], b[64];
};
void on_answer(void *arg, int err, const struct match *m);
/* The answer, waited for. */
struct answer ask(const char *match_id);
/* Asks until the match is (not) there and live. */
void wait_live(const char *match_id, bool live);

/* m1: ann, and bob who has no name. */
void two_users(void);

/* Those of directory_peers, who come in no particular order: sorted here, each
 * with a space behind. */
struct peers {
	int calls, err;
	char text[128];
};
void on_peers(void *arg, int err, const char *const *ids, size_t n);
struct peers peers_of(const char *user_id);

/* Of directory_flush. */
struct flushed {
	int calls, err;
};
void on_flushed(void *arg, int err);
int flush(void);

#endif
