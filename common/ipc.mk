noinst_LIBRARIES += common/libipc.a
common_libipc_a_SOURCES = \
	common/ipc/backend_rows.h \
	common/ipc/ctl_protocol.h \
	common/ipc/ctl_rows.h \
	common/ipc/ctl_socket.c common/ipc/ctl_socket.h \
	common/ipc/ipc.c common/ipc/ipc.h \
	common/ipc/ipc_messages.h \
	common/ipc/stats.c common/ipc/stats.h \
	common/ipc/stats_page.h \
	common/ipc/stats_table.h \
	common/ipc/stats_view.c
