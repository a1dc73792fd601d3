#include "config.h"

#include <stdio.h>
#include <string.h>

#include "worker/worker.h"

/* The master starts it; --version is for its preflight (master/upgrade/preflight.h). */
int main(int argc, char **argv)
{
	const char *option = argc == 2 ? argv[1] : "";

	if (strcmp(option, "--version") == 0) {
		puts("pairwire-worker " PACKAGE_VERSION);
		return 0;
	}
	if (strcmp(option, "--help") == 0) {
		puts("usage: pairwire-worker [--version]\n"
		     "  --version  print the version\n"
		     "Started by pairwire(8), never by hand.");
		return 0;
	}
	return worker_run();
}
