check_PROGRAMS += tests/unit/pushd/test_pushd_senders
tests_unit_pushd_test_pushd_senders_SOURCES = \
	tests/unit/pushd/fake_h2_client.c tests/unit/pushd/fake_h2_client.h \
	tests/unit/pushd/push_keys.c tests/unit/pushd/push_keys.h \
	tests/unit/pushd/sender_world.c tests/unit/pushd/sender_world.h \
	tests/unit/pushd/test_apns_token.c \
	tests/unit/pushd/test_apps.c \
	tests/unit/pushd/test_google_account.c \
	tests/unit/pushd/test_google_token.c \
	tests/unit/pushd/test_jwt_sign.c \
	tests/unit/pushd/test_sender_apns.c \
	tests/unit/pushd/test_sender_dry.c \
	tests/unit/pushd/test_sender_fcm.c
tests_unit_pushd_test_pushd_senders_CFLAGS = $(TEST_CFLAGS) $(JWT_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
tests_unit_pushd_test_pushd_senders_LDADD = $(PUSHSEND_LIBS) $(TEST_LIBS)
TESTS += tests/unit/pushd/test_pushd_senders
