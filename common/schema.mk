# SQL migrations of the directory, and the program that applies them.
schemadir = $(pkgdatadir)/schema
dist_schema_DATA = common/schema/001_directory.sql

migratedir = $(sbindir)
migrate_SCRIPTS = common/pairwire-migrate
EXTRA_DIST += common/schema/pairwire-migrate
CLEANFILES += common/pairwire-migrate
# The one in the source tree finds the migrations beside itself.
common/pairwire-migrate: common/schema/pairwire-migrate Makefile
	$(AM_V_GEN)$(MKDIR_P) common && \
	$(SED) 's|^pkgdatadir=.*|pkgdatadir=$(pkgdatadir)|' \
		$(srcdir)/common/schema/pairwire-migrate >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@
