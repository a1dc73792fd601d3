/* hiredis on our loop. Its own libevent adapter re-registers the socket for
 * every read and waits a turn before it writes; here the read event stays,
 * and the commands of one turn leave in one write at the end of that turn. */
#include <stdlib.h>

#include "common/backend/redis_conn.h"
#include "common/base/mem.h"

struct redis_io {
	redisAsyncContext *ac;
	struct loop *loop;
	struct io rd;
	struct io wr;
	bool reading;
	bool writing;
	struct task flush;
	bool in_flush;
	bool *gone;		/* in_flush: set when this is freed meanwhile */
};

static void on_readable(void *arg, int what)
{
	struct redis_io *io = arg;

	(void)what;
	redisAsyncHandleRead(io->ac);
}

static void on_writable(void *arg, int what)
{
	struct redis_io *io = arg;

	(void)what;
	redisAsyncHandleWrite(io->ac);
}

static void flush(void *arg)
{
	struct redis_io *io = arg;
	bool gone = false;

	io->gone = &gone;
	io->in_flush = true;
	redisAsyncHandleWrite(io->ac);
	if (!gone)
		io->in_flush = false;
}

static void add_read(void *arg)
{
	struct redis_io *io = arg;

	if (!io->reading)
		io_watch(&io->rd, IO_READ);
	io->reading = true;
}

static void del_read(void *arg)
{
	struct redis_io *io = arg;

	if (io->reading)
		io_watch(&io->rd, 0);
	io->reading = false;
}

/* Writability matters only for the end of connect(), and when the socket's
 * buffer is full (hiredis asks again from within the flush). */
static void add_write(void *arg)
{
	struct redis_io *io = arg;

	if (io->writing)
		return;
	if ((io->ac->c.flags & REDIS_CONNECTED) && !io->in_flush) {
		loop_defer(io->loop, &io->flush);
		return;
	}
	io_watch(&io->wr, IO_WRITE);
	io->writing = true;
}

static void del_write(void *arg)
{
	struct redis_io *io = arg;

	if (io->writing)
		io_watch(&io->wr, 0);
	io->writing = false;
}

static void cleanup(void *arg)
{
	struct redis_io *io = arg;

	if (io->in_flush)
		*io->gone = true;
	task_cancel(&io->flush);
	io_free(&io->rd);
	io_free(&io->wr);
	free(io);
}

void redis_io_attach(redisAsyncContext *ac, struct loop *l)
{
	struct redis_io *io = mem_zalloc(sizeof(*io));

	io->ac = ac;
	io->loop = l;
	io_init(&io->rd, l, ac->c.fd, on_readable, io);
	io_init(&io->wr, l, ac->c.fd, on_writable, io);
	task_init(&io->flush, LOOP_WRITE, flush, io);
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	ac->ev.data = io;
}
