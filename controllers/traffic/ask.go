package traffic

import (
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
	// askTimeout bounds one pod's answer.
	askTimeout = 3 * time.Second
	// maxPods bounds how many pods of a connector are asked in one poll.
	maxPods = 16
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 4 << 10
)

// errNoPod says that there is nobody to ask.
var errNoPod = errors.New("no pod of the connector runs: WorkloadAvailable says why")

// newClient makes a client that nobody can lead elsewhere or hold on to: it follows no
// redirect, uses no proxy and keeps no connection.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			DialContext: (&net.Dialer{Timeout: askTimeout}).DialContext,
		},
	}
}

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

// ask asks one pod. An error says the same each time that it means the same.
func (p *Poller) ask(ctx context.Context, ip, token string) (r report.Report, err error) {
	url := "http://" + net.JoinHostPort(ip, strconv.Itoa(render.PortProbes)) + report.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return r, errors.New("its address is none")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.client.Do(request)
	if err != nil {
		return r, words(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return r, status(answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, report.MaxSize+1))
	switch {
	case err != nil:
		return r, words(err)
	case len(body) > report.MaxSize:
		return r, fmt.Errorf("its report has more than %d bytes", report.MaxSize)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, errors.New("its report cannot be read: is its image the operator's version?")
	}
	return r, nil
}

// words are what a failure means. The error itself may hold a port that changes.
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
