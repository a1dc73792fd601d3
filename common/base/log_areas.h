/* The parts of the server whose log level can be set apart from the others':
 *   X(name, prefix of the source file's path)
 * A line belongs to the first row that its file fits. */
#ifndef PW_LOG_AREAS_H
#define PW_LOG_AREAS_H

#define LOG_AREAS(X)                              \
	X(transport, "worker/transport/")         \
	X(engineio, "worker/engineio/")           \
	X(socketio, "worker/socketio/")           \
	X(chat, "worker/chat/")                   \
	X(directory, "worker/directory")          \
	X(presence, "worker/presence")            \
	X(router, "worker/router")                \
	X(emitter, "worker/emitter")              \
	X(worker, "worker/")                      \
	X(store, "common/store/")                 \
	X(queue, "common/queue/")                 \
	X(redis, "common/backend/redis")          \
	X(postgres, "common/backend/pg")          \
	X(backend, "common/backend/")             \
	X(loop, "common/loop/")                   \
	X(ipc, "common/ipc/")                     \
	X(service, "common/service/")             \
	X(master, "master/")

#endif
