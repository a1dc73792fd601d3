#include "config.h"	/* CPU_COUNT */

#include "master/control/limits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/conf.h"

#define BACKLOG 4096		/* as the listener asks for */
/* What a worker should be able to hold; a connection costs a descriptor, and this
 * much memory while it is idle. */
#define CONNECTIONS 65536
#define CONNECTION_BYTES 2560

/* --- verdicts --- */

static PRINTF(4, 5) void row(json_t *all, const char *name, const char *todo,
			     const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(all, json_pack("{s:s, s:b, s:s, s:s}", "name", name,
					     "ok", todo[0] == '\0', "text", text,
					     "todo", todo));
}

static void judge_descriptors(json_t *all, const struct limits *l)
{
	if (l->descriptors >= 0)
		row(all, "descriptor limit", l->descriptors >= CONNECTIONS ? "" :
		    "LimitNOFILE=1048576 in the unit, or ulimit -n",
		    "%" PRId64 " of each worker, a connection takes one",
		    l->descriptors);
}

static void judge_queues(json_t *all, const struct limits *l)
{
	if (l->somaxconn >= 0)
		row(all, "somaxconn", l->somaxconn >= BACKLOG ? "" :
		    "sysctl -w net.core.somaxconn=4096", "%" PRId64 " of %d "
		    "connections may wait for a worker", l->somaxconn, BACKLOG);
	if (l->syn_backlog >= 0)
		row(all, "tcp_max_syn_backlog",
		    l->syn_backlog >= BACKLOG || l->syn_cookies > 0 ? "" :
		    "sysctl -w net.ipv4.tcp_max_syn_backlog=4096", "%" PRId64
		    "%s", l->syn_backlog, l->syn_cookies > 0 ?
		    ", and SYN cookies beyond" : "");
}

static void judge_workers(json_t *all, const struct limits *l)
{
	int64_t needed = (int64_t)l->workers * CONNECTIONS * CONNECTION_BYTES;
	char todo[96] = "";

	row(all, "workers", l->workers <= l->cores ? "" :
	    "workers = 0 in the configuration: one a core",
	    "%u on %u core%s", l->workers, l->cores, l->cores == 1 ? "" : "s");
	if (l->memory < 0)
		return;
	if (l->memory < needed)
		snprintf(todo, sizeof(todo), "%" PRId64 " MiB more, for %d "
			 "connections a worker", (needed - l->memory) >> 20,
			 CONNECTIONS);
	row(all, "memory", todo, "%" PRId64 " MiB available, room for %" PRId64
	    " idle connections", l->memory >> 20,
	    l->memory / CONNECTION_BYTES);
}

/* Others than owner and group may do what they should not. */
static void judge_mode(json_t *all, const char *name, const char *path,
		       int64_t mode, const char *right)
{
	char todo[384] = "";

	if (mode < 0 || path == NULL)
		return;
	if (mode & S_IRWXO)
		snprintf(todo, sizeof(todo), "chmod %s %s", right, path);
	row(all, name, todo, "%s, mode %04o%s", path, (unsigned)mode,
	    mode & S_IRWXO ? ": open to every user of this host" : "");
}

json_t *limits_judge(const struct limits *l)
{
	json_t *all = json_array();

	judge_descriptors(all, l);
	judge_queues(all, l);
	judge_workers(all, l);
	judge_mode(all, "configuration", l->conf_path, l->conf_mode, "o=");
	judge_mode(all, "run_dir", l->run_dir, l->run_dir_mode, "0750");
	judge_mode(all, "control socket", l->socket, l->socket_mode, "0660");
	return all;
}

/* --- asking the system --- */

/* False: it cannot be read. What is longer is cut. */
static bool read_text(const char *path, char *out, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd != -1 ? read(fd, out, n - 1) : -1;

	if (fd != -1)
		close(fd);
	out[got > 0 ? got : 0] = '\0';
	return got >= 0;
}

static int64_t read_number(const char *path)
{
	char text[64], *end;
	long long v;

	if (!read_text(path, text, sizeof(text)))
		return -1;
	v = strtoll(text, &end, 10);
	return end != text ? v : -1;
}

/* The file of our own cgroup (version 2) below the usual mount; -1: no limit. */
static int64_t cgroup_number(const char *file)
{
	char text[512], path[640];
	const char *group;

	if (!read_text("/proc/self/cgroup", text, sizeof(text)))
		return -1;
	group = strstr(text, "0::");
	if (group == NULL)
		return -1;
	group += 3;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/%s",
		 (int)strcspn(group, "\n"), group, file);
	return read_number(path);
}

static int64_t read_memory(void)
{
	int64_t max = cgroup_number("memory.max");
	int64_t used = cgroup_number("memory.current");
	int64_t all = -1;
	char text[2048];
	const char *at;

	if (read_text("/proc/meminfo", text, sizeof(text)) &&
	    (at = strstr(text, "MemAvailable:")) != NULL)
		all = strtoll(at + sizeof("MemAvailable:") - 1, NULL, 10) * 1024;
	if (max >= 0 && used >= 0 && (all < 0 || max - used < all))
		all = max > used ? max - used : 0;
	return all;
}

/* jwt_public_key is kept like one, and is none. */
bool limits_has_secret(const char *text)
{
#define IS_STR(key)
#define IS_BOOL(key)
#define IS_UINT(key)
#define IS_SIZE(key)
#define IS_MSEC(key)
#define IS_SECRET(key) #key,
#define NAME(type, when, section, key, def, min, max, env, help) IS_##type(key)
	static const char *const secrets[] = { CONF_TABLE(NAME) };
#undef NAME
	size_t n;

	for (; *text != '\0'; text += *text == '\n') {
		n = strspn(text, " \t");
		for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
			size_t len = strlen(secrets[i]);
			const char *at = text + n + len;

			if (strncmp(text + n, secrets[i], len) != 0 ||
			    strcmp(secrets[i], "jwt_public_key") == 0)
				continue;
			at += strspn(at, " \t");
			if (*at == '=' &&
			    at[1 + strspn(at + 1, " \t\"\r")] != '\n' &&
			    at[1 + strspn(at + 1, " \t\"\r")] != '\0')
				return true;
		}
		text += strcspn(text, "\n");
	}
	return false;
}

static int64_t mode_of(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) == -1)
		return -1;
	return st.st_mode & 07777;
}

void limits_read(const struct conf *conf, const char *conf_path,
		 unsigned workers, struct limits *out)
{
	static char file[65536];
	struct rlimit r;
	cpu_set_t set;

	*out = (struct limits){
		.descriptors = -1,
		.somaxconn = read_number("/proc/sys/net/core/somaxconn"),
		.syn_backlog =
			read_number("/proc/sys/net/ipv4/tcp_max_syn_backlog"),
		.syn_cookies = read_number("/proc/sys/net/ipv4/tcp_syncookies"),
		.memory = read_memory(),
		.workers = workers,
		.cores = workers,
		.conf_path = conf_path,
		.conf_mode = -1,
		.run_dir = conf->run_dir,
		.run_dir_mode = mode_of(conf->run_dir),
		.socket = conf->control_socket,
		.socket_mode = mode_of(conf->control_socket),
	};
	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		out->descriptors = r.rlim_cur < INT64_MAX ?
				   (int64_t)r.rlim_cur : INT64_MAX;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		out->cores = (unsigned)CPU_COUNT(&set);
	if (conf_path != NULL && read_text(conf_path, file, sizeof(file)) &&
	    limits_has_secret(file))
		out->conf_mode = mode_of(conf_path);
	explicit_bzero(file, sizeof(file));
}
