# The packages are built from the tarball, too.
EXTRA_DIST += \
	%D%/changelog %D%/control %D%/copyright %D%/rules %D%/source/format \
	%D%/pairwire.install %D%/pairwire.postinst \
	%D%/pairwire-pushd.install %D%/pairwire-pushd.postinst \
	%D%/pairwire-tools.install
