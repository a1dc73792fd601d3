# One app at one provider: its credentials and what is sent with them.
noinst_LIBRARIES += pushd/libpushsend.a
pushd_libpushsend_a_SOURCES = \
	pushd/apns_token.c pushd/apns_token.h \
	pushd/apps.c pushd/apps.h \
	pushd/apps_file.c pushd/apps_file.h \
	pushd/apps_senders.c pushd/apps_senders.h \
	pushd/google_account.c \
	pushd/google_token.c pushd/google_token.h \
	pushd/jwt_sign.c pushd/jwt_sign.h \
	pushd/secret_file.c pushd/secret_file.h \
	pushd/sender.c pushd/sender.h \
	pushd/sender_apns.c \
	pushd/sender_dry.c \
	pushd/sender_fcm.c \
	pushd/sender_impl.h
pushd_libpushsend_a_CFLAGS = $(AM_CFLAGS) $(JWT_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) \
	$(INIH_CFLAGS)
# Without the HTTP/2 client: tests have one of their own.
PUSHSEND_LIBS = pushd/libpushsend.a $(PUSHPURE_LIBS) common/libbackend.a $(CONF_LIBS) $(LOOP_LIBS) $(JWT_LIBS)
