package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// singleChanges is the number of Secrets that are changed one after another.
const singleChanges = 20

// changeSecrets is figure 4.
func (b *bench) changeSecrets(ctx context.Context) {
	times := make(series.Series, singleChanges)
	for n := range times {
		times[n] = milliseconds(b.changeSecret(ctx, n*b.resources/singleChanges))
	}
	b.Add(benchmark.Row{
		Measure: fmt.Sprintf("Secret to configuration with %d resources, p50 of %d", b.resources, singleChanges),
		Asked:   "most under 1000 ms", Result: spread(times), Met: times.Quantile(1) < 1000,
	})
}

// changeSecret gives the i-th resource another API key and returns the time until its configuration holds it.
func (b *bench) changeSecret(ctx context.Context, i int) time.Duration {
	changed, config := apiSecretOf(i), childOf(i)
	begin := time.Now().Truncate(time.Microsecond) // as the audit log's times are
	key := digest(fmt.Sprint(changed, begin))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: changed.Namespace, Name: changed.Name}}
	patch := fmt.Sprintf(`{"stringData":{%q:%q}}`, keyAPI, key)
	must.Do(b.cluster.client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch))))
	var received, written time.Time
	b.await(ctx, "the new key of "+keyOf(i).Name, 1, func() int {
		received, written = b.journal.secret(changed).RequestReceivedTimestamp, b.journal.secret(config).StageTimestamp
		if received.Before(begin) || written.Before(received) || !b.holds(ctx, config, digest(key)) {
			return 0
		}
		return 1
	})
	return written.Sub(received)
}

// holds reports whether a configuration lets in the API key of a digest.
func (b *bench) holds(ctx context.Context, config client.ObjectKey, digest string) bool {
	secret := &corev1.Secret{}
	err := b.cluster.client.Get(ctx, config, secret)
	return err == nil && strings.Contains(string(secret.Data[render.FileName]), digest)
}
