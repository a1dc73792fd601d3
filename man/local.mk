dist_man_MANS = \
	man/pairwire.8 \
	man/pairwirectl.1 \
	man/pairwire-bench.1 \
	man/pairwire-migrate.8 \
	man/pairwire.conf.5 \
	man/pairwire-operations.7 \
	man/pairwire-protocol.7 \
	man/pairwire-pushd.8 \
	man/pairwire-worker.8
