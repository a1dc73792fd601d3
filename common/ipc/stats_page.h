/* The layout of a statistics page. Only stats.c (writer) and stats_view.c
 * (reader) include this. A reader trusts nothing but magic and version: every
 * place is found by the offsets in the page. All integers little-endian. */
#ifndef PW_STATS_PAGE_H
#define PW_STATS_PAGE_H

#include "common/ipc/stats.h"

#define STATS_MAGIC 0x31737770u	/* "pws1" */
#define STATS_VERSION 1u

/* Buckets are log-linear: values below 2^HIST_SUB_BITS have one each, every
 * power of two above has 2^HIST_SUB_BITS, 12.5 % wide. The last takes all from
 * 2^36 us (19 hours) on. */
#define HIST_SUB_BITS 3
#define HIST_BUCKETS 272
#define FLIGHT_RING 65536u

struct stats_head {
	uint32_t magic;
	uint32_t version;
	uint32_t size;		/* of the whole page */
	uint32_t nitems;
	uint32_t items_off;	/* struct stats_entry[nitems] */
	uint32_t ring_off;	/* struct flight_entry[ring_n] */
	uint32_t ring_n;	/* a power of two */
	uint32_t ring_entry;	/* sizeof(struct flight_entry) */
	uint32_t hist_sub_bits;
	uint32_t hist_buckets;
	uint64_t ring_next;	/* entries written so far */
};

struct stats_entry {
	uint32_t kind;		/* 'c', 'g', 'h' */
	uint32_t name_off;	/* NUL-terminated */
	uint32_t help_off;
	uint32_t data_off;	/* int64_t, or struct stats_hist */
};

struct stats_hist {
	uint64_t sum_us;
	uint64_t bucket[];	/* hist_buckets */
};

/* seq is the low half of the entry's number + 1, 0 while it is being written. */
struct flight_entry {
	int64_t wall_us;
	uint8_t id[12];
	uint32_t arg;
	uint32_t event;
	uint32_t seq;
};

static inline uint8_t flight_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint8_t)(c - 'a' + 10);
	return c >= 'A' && c <= 'F' ? (uint8_t)(c - 'A' + 10) : 0;
}

/* Of an id that is shorter than it should be: what there is of it. */
static inline void flight_pack(const char *id, uint8_t out[12])
{
	for (size_t i = 0; i < 12; i++) {
		bool there = id[0] != '\0' && id[1] != '\0';

		out[i] = there ? (uint8_t)(flight_nibble(id[0]) << 4 |
					   flight_nibble(id[1])) : 0;
		id += there ? 2 : 0;
	}
}

static inline size_t hist_index(int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;
	unsigned e, i;

	if (v < (1u << HIST_SUB_BITS))
		return (size_t)v;
	e = 63u - (unsigned)__builtin_clzll(v);
	i = ((e - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
	    (unsigned)((v >> (e - HIST_SUB_BITS)) & ((1u << HIST_SUB_BITS) - 1));
	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static inline int64_t hist_value(size_t i, unsigned sub_bits)
{
	size_t per = (size_t)1 << sub_bits;
	unsigned shift;

	if (i < per)
		return (int64_t)i;
	shift = (unsigned)(i >> sub_bits) - 1;
	if (shift > 50)
		return INT64_MAX;
	return (int64_t)((per + (i & (per - 1))) << shift) +
	       (((int64_t)1 << shift) / 2);
}

#endif
