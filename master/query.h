/* Questions to all workers at once: sent to each READY one, answers merged,
 * with a deadline after which the silent are named instead of waited for. */
#ifndef PW_QUERY_H
#define PW_QUERY_H

#include "master/control.h"

struct instance;
struct supervisor;
struct queries;

struct queries *queries_new(struct loop *l, struct supervisor *s);
/* Waiting requests are refused. NULLs *q. */
void queries_free(struct queries **q);

/* Asks {"cmd":cmd,"args":args}. Each worker's answer is an object; the members
 * of its array `member` are collected, each with the worker's slot and
 * instance added. Answers r with
 *   {member: […], "unanswered": [{"slot", "instance", "reason"}]}. */
void queries_ask(struct queries *q, struct control_request r, const char *cmd,
		 const json_t *args, const char *member);

/* From the supervisor. */
void queries_answer(struct queries *q, const struct instance *i, uint32_t id,
		    struct slice json);
void queries_worker_died(struct queries *q, const struct instance *i);

#endif
