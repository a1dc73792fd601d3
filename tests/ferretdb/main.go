// Command ferretdb is the MongoDB of the tests where there is no mongod:
// FerretDB 1.24 embedded, on PostgreSQL, behind a proxy that passes one write
// command at a time (proxy.go).
//
// Its SQLite backend would need no server, but finds nothing by index: its
// indexes are made on another expression than its queries ask for.
//
// FerretDB's own command cannot be had by "go install": its version file is
// left out of the module's archive, and the binary panics at start. Embedded it
// needs none.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	database := flag.String("postgresql-url", "", "an empty database")
	dir := flag.String("dir", "", "existing directory for the inner socket")
	listen := flag.String("listen", "127.0.0.1:0", "where to serve; port 0 takes a free one")
	portFile := flag.String("port-file", "", "written with the port once it answers")
	flag.Parse()
	if *database == "" || *dir == "" || *portFile == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*database, *dir, *listen, *portFile); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func run(database, dir, listen, portFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	inner := filepath.Join(dir, "ferretdb.sock")
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:      ferretdb.ListenerConfig{Unix: inner},
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:       "postgresql",
		PostgreSQLURL: database,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		l.Close()
	}()
	p := &proxy{dial: func() (net.Conn, error) { return net.Dial("unix", inner) }}
	go p.serve(l)

	// The listener holds early connections; so the port may be told at once.
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(portFile+".new", []byte(port), 0o644); err != nil {
		return err
	}
	if err := os.Rename(portFile+".new", portFile); err != nil {
		return err
	}
	return db.Run(ctx)
}
