#include "config.h"	/* memfd_create */

#include "tests/unit/conf_text.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf/conf_keys.h"

static void clear_environment(void)
{
	for (int i = 0; i < CONF__COUNT; i++) {
		char name[64];
		int n = snprintf(name, sizeof(name), "PAIRWIRE_%s",
				 conf_keys[i].key);

		for (int j = 0; j < n; j++)
			if (name[j] >= 'a' && name[j] <= 'z')
				name[j] = (char)(name[j] - 'a' + 'A');
		unsetenv(name);
		if (*conf_keys[i].env != '\0')
			unsetenv(conf_keys[i].env);
	}
	unsetenv("CREDENTIALS_DIRECTORY");
}
TestSuite(conf, .init = clear_environment);

int load(const void *text, size_t n, struct conf **c, char *err)
{
	int fd = memfd_create("conf", 0);
	char path[64], *at;
	int rc;

	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	strcpy(err, "");
	rc = conf_load(path, CONF_FOR_SERVER, c, err);
	close(fd);
	at = strstr(err, path);
	if (at != NULL) {
		memcpy(at, "FILE", 4);
		memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
	}
	return rc;
}

struct conf *load_good(const char *text)
{
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	cr_assert_eq(load(text, strlen(text), &c, err), 0, "%s", err);
	return c;
}
