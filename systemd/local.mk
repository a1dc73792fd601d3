# Units, and what else systemd makes for them: below the prefix, where it looks
# for them in /usr and /usr/local.
EXTRA_DIST += %D%/pairwire.service.in %D%/pairwire-pushd.service.in %D%/pairwire.socket \
	%D%/sysusers.conf %D%/tmpfiles.conf.in
if SYSTEMD_UNITS
systemdsystemunit_DATA = %D%/pairwire.service %D%/pairwire-pushd.service %D%/pairwire.socket
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = %D%/sysusers.d/pairwire.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = %D%/tmpfiles.d/pairwire.conf
CLEANFILES += %D%/pairwire.service %D%/pairwire-pushd.service $(sysusers_DATA) $(tmpfiles_DATA)
endif

# With the paths of this build.
FILL_IN = $(MKDIR_P) $(@D) && \
	$(SED) -e 's|@bindir[@]|$(bindir)|g' -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@confdir[@]|$(confdir)|g'
%D%/pairwire.service: %D%/pairwire.service.in Makefile
	$(AM_V_GEN)$(FILL_IN) $(srcdir)/%D%/pairwire.service.in >$@.tmp && mv $@.tmp $@
%D%/pairwire-pushd.service: %D%/pairwire-pushd.service.in Makefile
	$(AM_V_GEN)$(FILL_IN) $(srcdir)/%D%/pairwire-pushd.service.in >$@.tmp && mv $@.tmp $@
%D%/tmpfiles.d/pairwire.conf: %D%/tmpfiles.conf.in Makefile
	$(AM_V_GEN)$(FILL_IN) $(srcdir)/%D%/tmpfiles.conf.in >$@.tmp && mv $@.tmp $@
%D%/sysusers.d/pairwire.conf: %D%/sysusers.conf Makefile
	$(AM_V_GEN)$(FILL_IN) $(srcdir)/%D%/sysusers.conf >$@.tmp && mv $@.tmp $@
