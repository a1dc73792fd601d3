/* The indexes of the collection, made when the server is first reached. None is
 * partial or expires: not every server of this protocol has those. */
#include <stdio.h>
#include <string.h>

#include "common/store/store_mongo.h"

static bool as_good(const bson_error_t *error)
{
	return error->domain == MONGOC_ERROR_SERVER &&
	       (error->code == 85 ||	/* IndexOptionsConflict */
		error->code == 86);	/* IndexKeySpecsConflict */
}

/* One index at a time: an index of the same keys under another name, made by
 * hand, is as good and is no reason to miss the others. */
static bool make_index(struct mongo_job *job, mongoc_client_t *client,
		       const char *name, const bson_t *key)
{
	bson_t opts = BSON_INITIALIZER;
	bson_t *cmd = BCON_NEW("createIndexes", BCON_UTF8(MONGO_COLLECTION),
			       "indexes", "[", "{", "key", BCON_DOCUMENT(key),
			       "name", BCON_UTF8(name), "}", "]");
	bool ok;

	mongoc_write_concern_append(job->be->durable, &opts);
	ok = mongoc_client_write_command_with_opts(client, job->be->db, cmd,
						   &opts, NULL, &job->error) ||
	     as_good(&job->error);
	bson_destroy(&opts);
	bson_destroy(cmd);
	return ok;
}

static const struct {
	const char *name;
	const char *keys[3];
} indexes[] = {
	{ "matchId_1_sentAt_1__id_1", { "matchId", "sentAt", "_id" } },
	{ "recipientId_1_deliveredAt_1_pos_1",
	  { "recipientId", "deliveredAt", "pos" } },
	{ "recipientId_1_pos_1", { "recipientId", "pos" } },
	{ "senderId_1_chg_1", { "senderId", "chg" } },
	{ "owe_1", { "owe" } },
};

static void index_key(size_t i, bson_t *out)
{
	bson_init(out);
	for (int k = 0; k < 3 && indexes[i].keys[k] != NULL; k++)
		BSON_APPEND_INT32(out, indexes[i].keys[k], 1);
}

bool mongo_make_indexes(struct mongo_job *job, mongoc_client_t *client)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indexes) && ok; i++) {
		bson_t key;

		index_key(i, &key);
		ok = make_index(job, client, indexes[i].name, &key);
		bson_destroy(&key);
	}
	return ok;
}

/* --- what an operator should know --- */

/* Numbers of other types are the same direction. */
static bool same_keys(const bson_t *a, size_t i)
{
	bson_iter_t it;
	int k = 0;

	if (!bson_iter_init(&it, a))
		return false;
	for (; bson_iter_next(&it); k++)
		if (k == 3 || indexes[i].keys[k] == NULL ||
		    strcmp(bson_iter_key(&it), indexes[i].keys[k]) != 0 ||
		    bson_iter_as_int64(&it) != 1)
			return false;
	return k == 3 || indexes[i].keys[k] == NULL;
}

static void tick_off(const bson_t *index, bool found[ARRAY_SIZE(indexes)])
{
	bson_iter_t it;
	const uint8_t *data;
	uint32_t len;
	bson_t key;

	if (!bson_iter_init_find(&it, index, "key") ||
	    !BSON_ITER_HOLDS_DOCUMENT(&it))
		return;
	bson_iter_document(&it, &len, &data);
	if (!bson_init_static(&key, data, len))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		found[i] = found[i] || same_keys(&key, i);
}

static bool server_version(struct mongo_job *job, mongoc_collection_t *c,
			   char out[32])
{
	bson_t *cmd = BCON_NEW("buildInfo", BCON_INT32(1));
	bson_t reply;
	bson_iter_t it;
	bool ok = mongoc_collection_command_simple(c, cmd, NULL, &reply,
						   &job->error);

	if (ok && bson_iter_init_find(&it, &reply, "version") &&
	    BSON_ITER_HOLDS_UTF8(&it))
		snprintf(out, 32, "%s", bson_iter_utf8(&it, NULL));
	bson_destroy(&reply);
	bson_destroy(cmd);
	return ok;
}

/* Both are asked of the primary: it is there, and takes writes. */
int mongo_op_look(struct mongo_job *job, mongoc_collection_t *c)
{
	struct store_look *l = job->op->look;
	bool found[ARRAY_SIZE(indexes)] = { false };
	char version[32] = "?", *keys;
	mongoc_cursor_t *cur;
	const bson_t *doc;
	size_t i = 0;
	bson_t key;

	if (!server_version(job, c, version))
		return mongo_errno(&job->error);
	cur = mongoc_collection_find_indexes_with_opts(c, NULL);
	while (mongoc_cursor_next(cur, &doc))
		tick_off(doc, found);
	if (mongoc_cursor_error(cur, &job->error))
		i = ARRAY_SIZE(indexes);
	mongoc_cursor_destroy(cur);
	if (i > 0)
		return mongo_errno(&job->error);
	while (i < ARRAY_SIZE(indexes) && found[i])
		i++;
	if (i == ARRAY_SIZE(indexes)) {
		snprintf(l->text, sizeof(l->text), "MongoDB %s, indexes are "
			 "there", version);
		return 0;
	}
	index_key(i, &key);
	keys = bson_as_relaxed_extended_json(&key, NULL);
	snprintf(l->text, sizeof(l->text), "MongoDB %s; no index %s", version,
		 indexes[i].name);
	snprintf(l->todo, sizeof(l->todo), "db." MONGO_COLLECTION
		 ".createIndex(%s)", keys);
	bson_free(keys);
	bson_destroy(&key);
	return 0;
}
