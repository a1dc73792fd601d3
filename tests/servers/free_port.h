/* A port of 127.0.0.1 that nobody else has, while its socket is open. */
#ifndef PW_FREE_PORT_H
#define PW_FREE_PORT_H

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* fd_out: bound, not listening; to be closed. */
static inline unsigned free_port(int *fd_out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);

	*fd_out = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(*fd_out, (struct sockaddr *)&sa, n), 0);
	cr_assert_eq(getsockname(*fd_out, (struct sockaddr *)&sa, &n), 0);
	return ntohs(sa.sin_port);
}

#endif
