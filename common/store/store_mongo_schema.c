/* The indexes of the collection, made when the server is first reached. None is
 * partial or expires: not every server of this protocol has those. */
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

bool mongo_make_indexes(struct mongo_job *job, mongoc_client_t *client)
{
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
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(indexes) && ok; i++) {
		bson_t key = BSON_INITIALIZER;

		for (int k = 0; k < 3 && indexes[i].keys[k] != NULL; k++)
			BSON_APPEND_INT32(&key, indexes[i].keys[k], 1);
		ok = make_index(job, client, indexes[i].name, &key);
		bson_destroy(&key);
	}
	return ok;
}
