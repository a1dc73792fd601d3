/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), keyed
 * once per process at random, so that clients who choose ids cannot choose
 * collisions. */
#ifndef PW_SIPHASH_H
#define PW_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *p, size_t n);
/* With the process's own key. */
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_str(const char *s);

#endif
