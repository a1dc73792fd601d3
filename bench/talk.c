/* `pairwire-bench talk`: two users hold a short conversation, as their apps
 * would, and every step of each message's way is checked and shown. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/command.h"
#include "bench/conversation.h"
#include "bench/options.h"
#include "bench/target.h"

#define MESSAGES_MAX 10000

static const char usage[] =
"usage: pairwire-bench talk --match ID --user-a ID --user-b ID [options]\n"
"\n"
"Two users of a match connect as their apps would and hold a conversation.\n"
"Exit status 0 if every message was acknowledged, delivered and read.\n"
"\n"
"  --url URL            the server (http://127.0.0.1:3001)\n"
"  --match ID           the match of the two\n"
"  --user-a ID, --user-b ID\n"
"  --token-a T, --token-b T\n"
"                       their tokens; better in the environment, as PW_TOKEN_A\n"
"                       and PW_TOKEN_B: others can see a command line\n"
"  --name-a N, --name-b N\n"
"                       how to call them here (Anna, Ben)\n"
"  --messages N         how many messages (6)\n"
"  --pushes FILE        what pairwire-pushd --dry-run says; then one of them leaves\n"
"                       at the end, and the other writes once more: that message\n"
"                       must be pushed\n"
"  --timeout TIME       how long to wait for the server at each turn (20s)\n";

enum { O_URL = 1, O_MATCH, O_TOKEN_A, O_TOKEN_B, O_USER_A, O_USER_B, O_NAME_A,
       O_NAME_B, O_MESSAGES, O_PUSHES, O_TIMEOUT, O_HELP };

static const struct option options[] = {
	{ "url", required_argument, NULL, O_URL },
	{ "match", required_argument, NULL, O_MATCH },
	{ "token-a", required_argument, NULL, O_TOKEN_A },
	{ "token-b", required_argument, NULL, O_TOKEN_B },
	{ "user-a", required_argument, NULL, O_USER_A },
	{ "user-b", required_argument, NULL, O_USER_B },
	{ "name-a", required_argument, NULL, O_NAME_A },
	{ "name-b", required_argument, NULL, O_NAME_B },
	{ "messages", required_argument, NULL, O_MESSAGES },
	{ "pushes", required_argument, NULL, O_PUSHES },
	{ "timeout", required_argument, NULL, O_TIMEOUT },
	{ "help", no_argument, NULL, O_HELP },
	{ 0 },
};

static int set_option(struct talk_conf *c, int option, const char *value)
{
	switch (option) {
	case O_URL: c->url = value; return 0;
	case O_MATCH: c->match = value; return 0;
	case O_TOKEN_A: c->tokens[0] = value; return 0;
	case O_TOKEN_B: c->tokens[1] = value; return 0;
	case O_USER_A: c->users[0] = value; return 0;
	case O_USER_B: c->users[1] = value; return 0;
	case O_NAME_A: c->names[0] = value; return 0;
	case O_NAME_B: c->names[1] = value; return 0;
	case O_MESSAGES:
		return option_count(value, 1, MESSAGES_MAX, &c->messages);
	case O_PUSHES: c->pushes = value; return 0;
	case O_TIMEOUT: return option_duration(value, &c->timeout_ms);
	default: return -EINVAL;
	}
}

static int wrong(const char *what)
{
	fprintf(stderr, "pairwire-bench talk: %s (--help lists the options)\n",
		what);
	return EXIT_USAGE;
}

static int talk(const struct talk_conf *conf)
{
	struct target target;
	char err[256];

	if (target_resolve(conf->url, &target, err) != 0) {
		fprintf(stderr, "pairwire-bench: %s\n", err);
		return EXIT_FAILED;
	}
	return conversation_hold(conf, &target) ? EXIT_FINE : EXIT_FAILED;
}

int talk_run(int argc, char **argv)
{
	struct talk_conf c = {
		.url = "http://127.0.0.1:3001",
		.tokens = { getenv("PW_TOKEN_A"), getenv("PW_TOKEN_B") },
		.names = { "Anna", "Ben" },
		.messages = 6, .timeout_ms = 20000,
	};
	int option, index = 0;

	argv[0] = (char *)"pairwire-bench talk";	/* for getopt's messages */
	while ((option = getopt_long(argc, argv, "h", options, &index)) != -1) {
		if (option == O_HELP || option == 'h') {
			fputs(usage, stdout);
			return EXIT_FINE;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (set_option(&c, option, optarg) != 0) {
			fprintf(stderr, "pairwire-bench talk: --%s %s: not "
				"possible\n", options[index].name, optarg);
			return EXIT_USAGE;
		}
	}
	if (optind != argc)
		return wrong("there are no arguments but options");
	if (c.match == NULL || c.users[0] == NULL || c.users[1] == NULL)
		return wrong("--match, --user-a and --user-b are needed");
	if (c.tokens[0] == NULL || c.tokens[1] == NULL)
		return wrong("no tokens: set PW_TOKEN_A and PW_TOKEN_B");
	return talk(&c);
}
