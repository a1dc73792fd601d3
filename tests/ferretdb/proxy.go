package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
)

// FerretDB 1.24 reads what an update matches and then writes it by _id, with
// no lock in between: two conditional updates of one document may both succeed,
// which MongoDB never does. The proxy holds a mutex from a write command's
// request to its reply.
//
// FerretDB also answers what asks for no answer (moreToCome); the proxy
// swallows that reply, as MongoDB sends none. exhaustAllowed is a permission
// that a server need not use: it is taken back, so that one request has one
// reply.
type proxy struct {
	dial   func() (net.Conn, error)
	writes sync.Mutex
}

const (
	headerLen = 16
	opMsg     = 2013
	// As MongoDB's maxMessageSizeBytes.
	maxMessage = 48000000

	flagChecksum   = 1 << 0
	flagMoreToCome = 1 << 1
	flagExhaust    = 1 << 16
)

var writeCommands = map[string]bool{
	"insert": true, "update": true, "delete": true,
	"findAndModify": true, "findandmodify": true,
	"create": true, "createIndexes": true, "drop": true, "dropDatabase": true,
}

var errMalformed = errors.New("malformed message")

func (p *proxy) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if err := p.pass(c); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				slog.Warn("proxy: connection ended", "err", err)
			}
		}()
	}
}

// pass serves one client: request, reply, request, reply.
func (p *proxy) pass(client net.Conn) error {
	server, err := p.dial()
	if err != nil {
		return err
	}
	defer server.Close()
	for {
		msg, err := readMessage(client)
		if err != nil {
			return err
		}
		req, err := parseRequest(msg)
		if err != nil {
			return err
		}
		reply, err := p.exchange(server, req)
		if err != nil {
			return err
		}
		if req.wantsReply {
			if _, err := client.Write(reply); err != nil {
				return err
			}
		}
	}
}

func (p *proxy) exchange(server net.Conn, req *request) ([]byte, error) {
	if req.write {
		p.writes.Lock()
		defer p.writes.Unlock()
	}
	if _, err := server.Write(req.bytes); err != nil {
		return nil, err
	}
	return readMessage(server)
}

type request struct {
	bytes      []byte
	write      bool
	wantsReply bool
}

func readMessage(r io.Reader) ([]byte, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < headerLen || n > maxMessage {
		return nil, errMalformed
	}
	msg := make([]byte, n)
	copy(msg, head[:])
	_, err := io.ReadFull(r, msg[headerLen:])
	return msg, err
}

// parseRequest finds out whether msg writes and wants a reply, and makes of it
// one that always gets exactly one.
func parseRequest(msg []byte) (*request, error) {
	if binary.LittleEndian.Uint32(msg[12:]) != opMsg {
		return &request{bytes: msg, wantsReply: true}, nil
	}
	if len(msg) < headerLen+4 {
		return nil, errMalformed
	}
	flags := binary.LittleEndian.Uint32(msg[headerLen:])
	if flags&flagChecksum != 0 {
		if len(msg) < headerLen+8 {
			return nil, errMalformed
		}
		msg = msg[:len(msg)-4]
		binary.LittleEndian.PutUint32(msg, uint32(len(msg)))
	}
	binary.LittleEndian.PutUint32(msg[headerLen:], flags&^(flagChecksum|flagMoreToCome|flagExhaust))
	name, err := commandName(msg[headerLen+4:])
	if err != nil {
		return nil, err
	}
	return &request{
		bytes:      msg,
		write:      writeCommands[name],
		wantsReply: flags&flagMoreToCome == 0,
	}, nil
}

// commandName is the first key of the body, the one section of kind 0.
func commandName(sections []byte) (string, error) {
	for len(sections) > 0 {
		kind, rest := sections[0], sections[1:]
		if len(rest) < 5 {
			return "", errMalformed
		}
		if kind == 0 {
			// document: length, type of the first element, its key
			key, _, ok := bytes.Cut(rest[5:], []byte{0})
			if !ok {
				return "", errMalformed
			}
			return string(key), nil
		}
		n := binary.LittleEndian.Uint32(rest)
		if kind != 1 || n < 4 || uint64(n) > uint64(len(rest)) {
			return "", errMalformed
		}
		sections = rest[n:]
	}
	return "", errMalformed
}
