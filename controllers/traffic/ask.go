package traffic

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

const (
	// askTimeout bounds one pod's response.
	askTimeout = 3 * time.Second
	// maxPods bounds how many pods of a connector are asked in one poll.
	maxPods = 16
	// maxHeader bounds the header of a response, and maxResponse all of it with its chunks' headers, in bytes.
	maxHeader   = 4 << 10
	maxResponse = maxHeader + 2*report.MaxSize
	// bufferSize is for a response of the usual size, in bytes.
	bufferSize = 2 << 10
)

// errNoPod says that there is no pod to ask.
var errNoPod = errors.New("no pod of the connector runs: WorkloadAvailable says why")

// askAll asks the pods for their reports. The error says why none could be read.
func (p *Poller) askAll(ctx context.Context, pods []corev1.Pod, token string) (reports []report.Report, err error) {
	err = errNoPod
	asked := 0
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" || asked == maxPods {
			continue
		}
		asked++
		r, failed := p.ask(ctx, pod.Status.PodIP, token)
		if failed != nil {
			err = fmt.Errorf("pod %q does not tell of its traffic: %w", pod.Name, failed)
			continue
		}
		reports = append(reports, r)
	}
	if len(reports) > 0 {
		return reports, nil
	}
	return nil, err
}

// ask asks one pod, over a connection of its own: it follows no redirect, is not kept, and costs half as much as a
// client for many calls. The same failure has the same error text each time.
func (p *Poller) ask(ctx context.Context, ip, token string) (r report.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	address := net.JoinHostPort(ip, strconv.Itoa(render.PortProbes))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+report.Path, http.NoBody)
	if err != nil {
		return r, errors.New("its address is none")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Close = true
	conn, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return r, words(err)
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := errors.Join(conn.SetDeadline(deadline), request.Write(conn)); err != nil {
		return r, words(err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(conn, maxResponse), bufferSize), request)
	if err != nil {
		return r, words(err)
	}
	defer func() { _ = response.Body.Close() }()
	return read(response)
}

// read reads the report in a response.
func read(response *http.Response) (r report.Report, err error) {
	if response.StatusCode != http.StatusOK {
		return r, status(response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, report.MaxSize+1))
	switch {
	case len(body) > report.MaxSize:
		return r, fmt.Errorf("its report has more than %d bytes", report.MaxSize)
	case err != nil:
		return r, words(err)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, errors.New("its report cannot be read: is its image the operator's version?")
	}
	return r, nil
}

// words explain a failure. The error itself may hold a port that changes.
func words(err error) error {
	const blocked = "the operator must reach port %d of the pods, which a NetworkPolicy may forbid"
	why := "the connection failed"
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		why = fmt.Sprintf("no answer within %s", askTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "the connection was refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		why = "there is no way to it"
	}
	return fmt.Errorf("%s: "+blocked, why, render.PortProbes)
}

func status(code int) error {
	switch code {
	case http.StatusUnauthorized:
		return errors.New("it answers 401: it has not taken the newest configuration")
	case http.StatusNotFound:
		return errors.New("it answers 404: its image is not the operator's version")
	}
	return fmt.Errorf("it answers %d", code)
}
