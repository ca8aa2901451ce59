package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// answerTimeout is far beyond the 2 s that a platform waits.
const answerTimeout = 20 * time.Second

// client is one keep-alive connection. It writes requests as they are and reads just enough of the answers: on a small
// machine a full HTTP client would take more of the processors than the servers under test.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(address string) *client {
	conn := must.Get(net.Dial("tcp", address))
	return &client{conn, bufio.NewReader(conn)}
}

// do sends one request and returns the answer's status code.
func (c *client) do(request []byte) int {
	must.Do(c.SetDeadline(time.Now().Add(answerTimeout)))
	must.Get(c.Write(request))
	line := must.Get(c.in.ReadSlice('\n'))
	if len(line) < len("HTTP/1.1 200") {
		must.Do(fmt.Errorf("%q is no status line", line))
	}
	status := must.Get(strconv.Atoi(string(line[9:12])))
	must.Get(c.in.Discard(c.readHeader()))
	return status
}

// readHeader skips the header and returns the length of the body.
func (c *client) readHeader() int {
	length := -1
	for {
		line := bytes.TrimRight(must.Get(c.in.ReadSlice('\n')), "\r\n")
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length = must.Get(strconv.Atoi(string(value)))
		case len(line) > 0:
		case length < 0:
			must.Do(fmt.Errorf("an answer without Content-Length"))
		default:
			return length
		}
	}
}
