#include "common/conf/conf.h"

#include <errno.h>
#include <string.h>

/* 0 to 65535, digits only; -1 otherwise. */
static long port_number(const char *text)
{
	long n = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n <= 65535 ? n : -1;
}

int conf_host_port(const char *text, char host_out[CONF_HOST_MAX],
		   unsigned *port_out)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t n;
	long port;

	if (colon == NULL)
		return -EINVAL;
	n = (size_t)(colon - text);
	if (*text == '[') {
		if (n < 4 || text[n - 1] != ']')
			return -EINVAL;
		host++;
		n -= 2;
	} else if (memchr(text, ':', n) != NULL) {
		return -EINVAL;	/* IPv6: where would its port begin? */
	}
	port = port_number(colon + 1);
	if (port == -1 || n == 0 || n >= CONF_HOST_MAX)
		return -EINVAL;
	memcpy(host_out, host, n);
	host_out[n] = '\0';
	*port_out = (unsigned)port;
	return 0;
}
