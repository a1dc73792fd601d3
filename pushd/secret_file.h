/* Files with a key in them. */
#ifndef PW_PUSHD_SECRET_FILE_H
#define PW_PUSHD_SECRET_FILE_H

#include "common/base/buf.h"

#define SECRET_FILE_MAX 65536
#define SECRET_ERR_MAX 256

/* Reads a regular file whole, as text: out->p ends with a NUL behind len. Warns
 * in the log when everybody may read it. 0, or -errno / -EINVAL / -EFBIG with
 * "file: ..." in err. To be given to secret_wipe(). */
int secret_file_read(const char *path, struct buf *out,
		     char err[SECRET_ERR_MAX]) MUST_CHECK;
/* Wipes and frees. */
void secret_wipe(struct buf *b);

#endif
