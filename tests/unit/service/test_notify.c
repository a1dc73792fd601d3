/* sd_notify(3)'s protocol, heard by a socket of our own. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/loop/loop.h"
#include "common/service/notify.h"

static int systemd_fd;

/* An abstract name: nothing to clean up. */
static void listen_as_systemd(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 60 };
	char name[64];
	int n = snprintf(name, sizeof(name), "@pw-notify-%ld", (long)getpid());

	memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
	systemd_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(systemd_fd, (struct sockaddr *)&sa,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      (size_t)n)), 0);
	setsockopt(systemd_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *heard(int flags)
{
	static char text[1024];
	ssize_t n = recv(systemd_fd, text, sizeof(text) - 1, flags);

	if (n == -1)
		return NULL;
	text[n] = '\0';
	return text;
}

Test(notify, says_what_systemd_knows)
{
	listen_as_systemd();
	notify_ready();
	cr_expect_str_eq(heard(0), "READY=1");
	notify_reloading();
	cr_expect_str_eq(heard(0), "RELOADING=1");
	notify_stopping();
	cr_expect_str_eq(heard(0), "STOPPING=1");
	notify_extend(2500);
	cr_expect_str_eq(heard(0), "EXTEND_TIMEOUT_USEC=2500000");
	notify_status("%d sent\nREADY=1", 7);
	cr_expect_str_eq(heard(0), "STATUS=7 sent");
}

Test(notify, nobody_listens)
{
	struct loop *l = loop_new();

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	notify_ready();
	notify_watchdog(l, NULL, NULL);
	notify_end();
	loop_free(&l);
}

struct patient {
	struct loop *loop;
	unsigned asked;
};

/* Well twice, then ill, then well. */
static bool is_well(void *arg)
{
	struct patient *p = arg;

	if (++p->asked == 6)
		loop_stop(p->loop);
	return p->asked != 3 && p->asked != 4;
}

Test(notify, watchdog_is_fed_while_well)
{
	struct patient p = { .loop = loop_new() };
	unsigned fed = 0;

	listen_as_systemd();
	setenv("WATCHDOG_USEC", "15000", 1);
	notify_watchdog(p.loop, is_well, &p);
	loop_run(p.loop);
	while (heard(MSG_DONTWAIT) != NULL)
		fed++;
	cr_expect_eq(p.asked, 6);
	cr_expect_eq(fed, 4);
	notify_end();
	loop_free(&p.loop);
}
