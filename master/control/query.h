/* Questions to workers, sent over their IPC: to all of them, or to one. Who has
 * not answered at the deadline is named instead of waited for. */
#ifndef PW_QUERY_H
#define PW_QUERY_H

#include "master/control/control.h"

struct instance;
struct supervisor;
struct queries;

struct queries *queries_new(struct loop *l, struct supervisor *s);
/* Waiting requests are refused, their done() is not called. NULLs *q. */
void queries_free(struct queries **q);

/* What became of a question. Borrowed. */
struct query_answers {
	struct control_request request;	/* to be answered, or asked on with */
	json_t *keep;			/* the question's */
	const json_t *list;	/* [{"slot", "instance", "answer": {…}}] */
	const json_t *unanswered;	/* [{"slot", "instance", "reason"}] */
};
typedef void query_done(void *arg, const struct query_answers *a);

struct question {
	const char *cmd;
	const json_t *args;	/* array of strings, borrowed; NULL: none */
	unsigned deadline_ms;	/* 0: five seconds */
	/* Whether it knows what it was told: those that start are asked, too, and
	 * who dies before it answers need not; who comes in its place knows. */
	bool told;
	json_t *keep;		/* taken; for done(); may be NULL */
	query_done *done;	/* once, perhaps before queries_…() returns */
	void *arg;
};

/* Asks {"cmd":cmd,"args":args} of every worker that serves, those that drain
 * and successors that are READY before the others (replace_all) included. r is
 * refused when the question is too long for a message. A worker that answers
 * {"error": why} has not answered, for that reason. */
void queries_all(struct queries *q, struct control_request r,
		 const struct question *question);
/* The same of one that is READY: the next one if it dies, or cannot be asked. No
 * answer: list is empty, and unanswered says who did not. Questions go round, so
 * that the next one does not meet the same stuck worker. */
void queries_one(struct queries *q, struct control_request r,
		 const struct question *question);

/* The members of the array `member` of all answers, each with its worker's slot
 * and instance added. The caller's. */
json_t *query_merged(const struct query_answers *a, const char *member);
/* The one answer; NULL: there is none. Borrowed. */
const json_t *query_only(const struct query_answers *a);
/* Why there is no answer, in one line for people. */
const char *query_silence(const struct query_answers *a);

/* From the supervisor. */
void queries_answer(struct queries *q, const struct instance *i, uint32_t id,
		    struct slice json);
void queries_worker_died(struct queries *q, const struct instance *i);

#endif
