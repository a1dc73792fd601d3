/* main() of a fuzz target in an ordinary build: runs it once over every file
 * given, and every file of the directories given. Without arguments: over its
 * own corpus, tests/fuzz/corpus/<target> below $srcdir. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static unsigned files;

static void __attribute__((noreturn)) fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(99);
}

static void run_file(const char *path, size_t size)
{
	/* of exactly its size, for the sanitizer */
	uint8_t *data = malloc(size);
	FILE *f = fopen(path, "rb");

	if (f == NULL || (data == NULL && size != 0))
		fail(path);
	if (fread(data, 1, size, f) != size)
		fail(path);
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);		/* the last one named is the one that crashed */
	LLVMFuzzerTestOneInput(data, size);
	files++;
	free(data);
}

static void run(const char *path)
{
	char below[PATH_MAX];
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (stat(path, &st) == -1)
		fail(path);
	if (!S_ISDIR(st.st_mode)) {
		run_file(path, (size_t)st.st_size);
		return;
	}
	d = opendir(path);
	if (d == NULL)
		fail(path);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		run(below);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strstr(argv[0], "fuzz_");
	char corpus[PATH_MAX];

	for (int i = 1; i < argc; i++)
		run(argv[i]);
	if (argc == 1) {
		CHECK(name != NULL);
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s",
			 srcdir != NULL ? srcdir : ".", name + strlen("fuzz_"));
		run(corpus);
	}
	printf("%u inputs\n", files);
	return files != 0 ? 0 : 99;
}
