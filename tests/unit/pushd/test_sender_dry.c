/* What a sender that sends nothing tells. */
#include "tests/unit/pushd/sender_world.h"

Test(sender_dry, tells_and_sends_nothing)
{
	static const struct {
		enum provider p;
		const char *body, *line;
	} rows[] = {
		{ PROVIDER_FCM, "{\"message\":{\"token\":\"SECRET\","
		  "\"notification\":{\"title\":\"Ann\",\"body\":\"Hi\\n!\"},"
		  "\"data\":{\"type\":\"new_message\",\"messageId\":\"m1\"}}}",
		  "{\"provider\":\"fcm\",\"device\":\"device-1\","
		  "\"type\":\"new_message\",\"messageId\":\"m1\","
		  "\"title\":\"Ann\",\"body\":\"Hi\\n!\",\"badge\":null,"
		  "\"payload\":{\"message\":{\"notification\":" },
		{ PROVIDER_APNS, "{\"aps\":{\"alert\":{\"title\":\"Ann\","
		  "\"body\":\"Hi\"},\"badge\":3},\"type\":\"new_match\"}",
		  "{\"provider\":\"apns\",\"device\":\"device-1\","
		  "\"type\":\"new_match\",\"messageId\":null,"
		  "\"title\":\"Ann\",\"body\":\"Hi\",\"badge\":3,"
		  "\"payload\":{\"aps\":" },
		{ PROVIDER_APNS, "{\"aps\":{\"content-available\":1}}",
		  "\"title\":null,\"body\":null,\"badge\":null," },
	};

	loop = loop_new();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *told;

		sender = sender_new_dry(loop, rows[i].p);
		cr_assert_eq(sender_provider(sender), rows[i].p);
		calls = 0;
		test_capture();
		send_body("SECRET", rows[i].body);
		told = test_captured();
		cr_assert_eq(calls, 0);
		turn();
		cr_assert_eq(calls, 1);
		cr_last(OUTCOME_OK, "");
		cr_assert_not_null(strstr(told, rows[i].line), "%s", told);
		cr_assert_null(strstr(told, "SECRET"), "%s", told);
		free(told);
		sender_free(&sender);
	}
	cr_assert_eq(fake_h2_clients(), 0);
	loop_free(&loop);
}
