/* Whose directory a master takes for its sockets. */
#include "config.h"	/* unshare */

#include <criterion/criterion.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/run_dir.h"

static char top[] = "/tmp/pw-run-dir.XXXXXX";
static char path[64], err[RUN_DIR_ERR_MAX];

static void begin(void)
{
	cr_assert_not_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/run", top);
}

static void clean(void)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s/lock", path);
	unlink(lock);
	rmdir(path);
	rmdir(top);
}

static void expect_refused(int rc, const char *why)
{
	char expected[RUN_DIR_ERR_MAX];
	int fd = -1;

	snprintf(expected, sizeof(expected), "run_dir %s: %s", path, why);
	cr_expect_eq(run_dir_take(path, &fd, err), rc);
	cr_expect_str_eq(err, expected);
	cr_expect_eq(fd, -1);
}

Test(run_dir, is_made_and_taken_once, .init = begin, .fini = clean)
{
	char why[64];
	struct stat st;
	int fd;

	umask(022);
	cr_assert_eq(run_dir_take(path, &fd, err), 0, "%s", err);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0750);
	snprintf(why, sizeof(why), "another pairwire master (pid %ld) runs there",
		 (long)getpid());
	expect_refused(-EBUSY, why);
	close(fd);
	cr_assert_eq(run_dir_take(path, &fd, err), 0, "%s", err);
	close(fd);
}

Test(run_dir, open_to_all, .init = begin, .fini = clean)
{
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(chmod(path, 01777), 0);
	expect_refused(-EPERM, "every user may write to it");
}

Test(run_dir, of_another_user, .init = begin, .fini = clean)
{
	char why[64];

	if (geteuid() != 0) {
		snprintf(path, sizeof(path), "/");
		snprintf(why, sizeof(why), "it belongs to uid 0, not to us (uid %u)",
			 (unsigned)geteuid());
		expect_refused(-EPERM, why);
		return;
	}
	cr_assert_eq(mkdir(path, 0750), 0);
	cr_assert_eq(chown(path, 4711, 4711), 0);
	expect_refused(-EPERM, "it belongs to uid 4711, not to us (uid 0)");
}

#define ROOM "; make room on its file system, or configure another path"

Test(run_dir, in_a_directory_that_is_not_there, .init = begin, .fini = clean)
{
	snprintf(path, sizeof(path), "%s/no/run", top);
	expect_refused(-ENOENT, "cannot make it: No such file or directory; make the "
		       "directory that it is in, or configure another path");
}

/* Whatever it writes into its lock, there is no room for it. */
Test(run_dir, without_room_for_a_number, .init = begin, .fini = clean)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s/lock", path);
	cr_assert_eq(mkdir(path, 0750), 0);
	cr_assert_eq(symlink("/dev/full", lock), 0);
	expect_refused(-ENOSPC, "lock cannot be written: No space left on device"
		       ROOM);
}

/* A file system of its own, which nobody else sees; for root only. */
static void mount_there(const char *options, unsigned long flags)
{
	if (unshare(CLONE_NEWNS) == -1)
		cr_skip_test("no mount namespace for us");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", top, "tmpfs", flags, options) == -1)
		cr_skip_test("nothing can be mounted here");
}

Test(run_dir, on_a_full_file_system, .init = begin, .fini = clean)
{
	mount_there("size=4k,nr_inodes=1,mode=755", 0);
	expect_refused(-ENOSPC, "cannot make it: No space left on device" ROOM);
	umount(top);
	mount_there("size=4k,nr_inodes=2,mode=755", 0);
	cr_assert_eq(mkdir(path, 0750), 0);
	expect_refused(-ENOSPC, "lock cannot be made: No space left on device"
		       ROOM);
	umount(top);
}

Test(run_dir, on_one_that_is_only_read, .init = begin, .fini = clean)
{
	mount_there("mode=755", MS_RDONLY);
	expect_refused(-EROFS, "cannot make it: Read-only file system; have it "
		       "mounted writable, or configure another path");
	umount(top);
}

/* A lock that has had its number needs no more room. */
Test(run_dir, that_has_filled_up, .init = begin, .fini = clean)
{
	char fill[80];
	int fd = -1;
	FILE *f;

	mount_there("size=8k,mode=755", 0);
	cr_assert_eq(run_dir_take(path, &fd, err), 0, "%s", err);
	close(fd);
	snprintf(fill, sizeof(fill), "%s/fill", top);
	f = fopen(fill, "w");
	while (fputc('x', f) != EOF && fflush(f) == 0)
		;
	fclose(f);
	cr_expect_eq(run_dir_take(path, &fd, err), 0, "%s", err);
	close(fd);
	umount(top);
}
