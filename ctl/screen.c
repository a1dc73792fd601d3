#include "config.h"	/* ppoll */

#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/buf.h"

/* xterm's control sequences: the alternate screen, the cursor, erasing. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_BELOW "\033[J"

static struct {
	bool open;
	struct termios before;
	int signals;		/* signalfd */
} screen;

void screen_size(int *columns_out, int *lines_out)
{
	struct winsize w;

	*columns_out = 80;
	*lines_out = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_col == 0 ||
	    w.ws_row == 0)
		return;
	*columns_out = w.ws_col;
	*lines_out = w.ws_row;
}

static void put(struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(STDOUT_FILENO, s.p, s.n);

		if (n == -1 && errno != EINTR)
			return;	/* nobody looks any more */
		if (n > 0)
			s = (struct slice){ s.p + n, s.n - (size_t)n };
	}
}

/* Keys one by one and unseen; signals stay signals. */
static int enter(void)
{
	struct termios raw = screen.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == -1)
		return -errno;
	put(SLICE(ENTER));
	return 0;
}

static void leave(void)
{
	put(SLICE(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.before);
}

static void watched(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP,
				       SIGCONT, SIGWINCH };

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(set, signals[i]);
}

int screen_open(void)
{
	sigset_t set;
	int rc;

	if (tcgetattr(STDIN_FILENO, &screen.before) == -1)
		return -errno;
	watched(&set);
	screen.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen.signals == -1)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, NULL);
	screen.open = true;
	atexit(screen_close);
	rc = enter();
	if (rc != 0)
		screen_close();
	return rc;
}

void screen_close(void)
{
	sigset_t set;

	if (!screen.open)
		return;
	screen.open = false;
	leave();
	close(screen.signals);
	watched(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void screen_show(struct slice lines)
{
	struct buf b = { 0 };

	buf_adds(&b, HOME);
	for (size_t i = 0; i < lines.n; i++) {
		/* the last line's end would scroll */
		if (lines.p[i] != '\n')
			buf_addc(&b, lines.p[i]);
		else
			buf_adds(&b, i + 1 < lines.n ? ERASE_LINE "\r\n" :
						       ERASE_LINE);
	}
	buf_adds(&b, ERASE_BELOW);
	put(buf_slice(&b));
	buf_free(&b);
}

/* As if we had not been there: the shell shall see what ended us. */
static void end_by(int signo)
{
	screen_close();
	raise(signo);
	_exit(1);
}

static enum screen_key on_signal(void)
{
	struct signalfd_siginfo info;

	if (read(screen.signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_OTHER;
	switch (info.ssi_signo) {
	case SIGINT:
		return SCREEN_QUIT;
	case SIGTSTP:
		leave();
		kill(getpid(), SIGSTOP);
		return SCREEN_OTHER;	/* SIGCONT is next */
	case SIGCONT:
		return enter() == 0 ? SCREEN_CHANGED : SCREEN_QUIT;
	case SIGWINCH:
		return SCREEN_CHANGED;
	default:
		end_by((int)info.ssi_signo);
		return SCREEN_QUIT;
	}
}

/* Of the first key of what came: enough for whoever does not type ahead. */
static enum screen_key on_input(void)
{
	static const struct {
		const char *bytes;
		enum screen_key key;
	} keys[] = {
		{ "q", SCREEN_QUIT },	      { "Q", SCREEN_QUIT },
		{ "k", SCREEN_UP },	      { "j", SCREEN_DOWN },
		{ "\033[A", SCREEN_UP },      { "\033[B", SCREEN_DOWN },
		{ "\033OA", SCREEN_UP },      { "\033OB", SCREEN_DOWN },
		{ "\033[5~", SCREEN_PAGE_UP }, { "\033[6~", SCREEN_PAGE_DOWN },
		{ " ", SCREEN_PAGE_DOWN },    { "\033[H", SCREEN_HOME },
		{ "\033[F", SCREEN_END },     { "\033[1~", SCREEN_HOME },
		{ "\033[4~", SCREEN_END },
	};
	char in[64];
	ssize_t n = read(STDIN_FILENO, in, sizeof(in));

	if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
		return SCREEN_QUIT;	/* the terminal is gone */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i].bytes);

		if (n >= (ssize_t)len && memcmp(in, keys[i].bytes, len) == 0)
			return keys[i].key;
	}
	return SCREEN_OTHER;
}

enum screen_key screen_wait(int64_t ms)
{
	struct pollfd p[] = {
		{ .fd = screen.signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int n = poll(p, ARRAY_SIZE(p), (int)(ms > 0 ? ms : 0));

	if (n == 0)
		return SCREEN_NOTHING;
	if (n == -1)
		return SCREEN_OTHER;
	return p[0].revents != 0 ? on_signal() : on_input();
}
