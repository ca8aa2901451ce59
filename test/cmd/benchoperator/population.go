package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

const (
	namespaces = 20
	// parallel is how many requests the benchmark makes at a time.
	parallel = 8
	// listPage is how many resources are listed at a time.
	listPage = 500
	// calm is the time without a write after which resources count as settled.
	calm = 3 * time.Second

	keyOA, keyAPI = "oa-secret-key", "xp-api-key"
)

// childrenOfEach is the number of children of a resource of the benchmark.
var childrenOfEach = func() int {
	c := must.Get(schema.Decode(context.Background(), must.Get(json.Marshal(declared(0)))))
	return len(children.Build(children.Kinds, children.Input{Connector: c, Config: &render.Config{}}))
}()

func namespaceOf(i int) string { return fmt.Sprintf("team-%02d", i%namespaces) }

// keyOf is the key of the i-th resource.
func keyOf(i int) client.ObjectKey {
	return client.ObjectKey{Namespace: namespaceOf(i), Name: fmt.Sprintf("shop-%05d", i)}
}

// childOf is the key of the children of the i-th resource.
func childOf(i int) client.ObjectKey {
	key := keyOf(i)
	key.Name = children.ConnectorName(key.Name)
	return key
}

// The users' Secrets of the i-th resource.
func oaSecretOf(i int) client.ObjectKey  { return suffixed(keyOf(i), "-zalo") }
func apiSecretOf(i int) client.ObjectKey { return suffixed(keyOf(i), "-xbot") }

func suffixed(key client.ObjectKey, suffix string) client.ObjectKey {
	key.Name += suffix
	return key
}

// forEach calls f for each number, several at a time.
func forEach(ctx context.Context, from, to int, f func(ctx context.Context, i int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := from; i < to && ctx.Err() == nil; i++ {
		group.Go(func() error { return must.Catch(func() { f(ctx, i) }) })
	}
	return group.Wait()
}

func (b *bench) makeNamespaces(ctx context.Context) {
	must.Do(forEach(ctx, 0, namespaces, func(ctx context.Context, i int) {
		must.Do(b.cluster.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}}))
	}))
}

// populate brings the number of settled resources to at least n.
func (b *bench) populate(ctx context.Context, n int) {
	from := b.resources
	if n <= from {
		return
	}
	benchmark.Sayf("%d resources …", n)
	b.makeSecrets(ctx, from, n)
	must.Do(forEach(ctx, from, n, b.create))
	b.resources = n
	b.settle(ctx)
}

// makeSecrets makes the users' Secrets of resources.
func (b *bench) makeSecrets(ctx context.Context, from, to int) {
	must.Do(forEach(ctx, from, to, func(ctx context.Context, i int) {
		must.Do(b.cluster.client.Create(ctx, newSecret(oaSecretOf(i), keyOA)))
		must.Do(b.cluster.client.Create(ctx, newSecret(apiSecretOf(i), keyAPI)))
	}))
}

func newSecret(at client.ObjectKey, key string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name},
		StringData: map[string]string{key: digest(at.String())},
	}
}

// digest is a key that looks like the platform's.
func digest(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// create creates the i-th resource.
func (b *bench) create(ctx context.Context, i int) {
	must.Do(b.cluster.client.Apply(ctx, declared(i), client.FieldOwner("benchmark")))
}

// declared is the i-th resource, as a user writes it.
func declared(i int) *v1alpha1ac.ChannelConnectorApplyConfiguration {
	key := keyOf(i)
	return v1alpha1ac.ChannelConnector(key.Name, key.Namespace).WithSpec(v1alpha1ac.ChannelConnectorSpec().
		WithType(v1alpha1.ChannelZaloOA).
		WithZaloOA(v1alpha1ac.ZaloOA().WithAppID("2553928453557884079").
			WithSignature(v1alpha1ac.Signature().WithSecretKeyRefs(v1alpha1ac.SecretKeyRef().WithName(oaSecretOf(i).Name).WithKey(keyOA)))).
		WithWebhook(v1alpha1ac.Webhook().
			WithAPIKeys(v1alpha1ac.APIKey().WithName("first").
				WithSecretKeyRef(v1alpha1ac.SecretKeyRef().WithName(apiSecretOf(i).Name).WithKey(keyAPI))).
			WithEvents(v1alpha1ac.EventFilter().WithExclude("oa_send_*", "user_seen_message", "user_received_message"))).
		WithSink(v1alpha1ac.Sink().WithHTTP(v1alpha1ac.HTTPSink().WithURL("http://bot.chat.svc/events"))))
}

// rollOut plays the Deployment controller and kubelet until ctx ends: the pod of a Deployment is available as soon as
// the Deployment is there.
func (b *bench) rollOut(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for done := 0; ; {
		fresh := b.journal.deploymentsFrom(done)
		err := forEach(ctx, 0, len(fresh), func(ctx context.Context, i int) { b.roll(ctx, fresh[i]) })
		if err != nil && ctx.Err() == nil {
			return err
		}
		done += len(fresh)
		b.rolled.Store(int64(done))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// rolledOut is the status of a Deployment that is new and as it should be.
const rolledOut = `{"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}}`

func (b *bench) roll(ctx context.Context, key client.ObjectKey) {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	must.Do(b.cluster.client.Status().Patch(ctx, deployment, client.RawPatch(types.MergePatchType, []byte(rolledOut))))
}

// settle waits until the operator has nothing left to do, and checks that every resource is Ready.
func (b *bench) settle(ctx context.Context) {
	b.awaitChildren(ctx)
	b.await(ctx, "Deployments rolled out", b.resources, func() int { return int(b.rolled.Load()) })
	b.awaitCalm(ctx)
	seen := 0
	b.eachResource(ctx, func(c *v1alpha1.ChannelConnector) {
		if seen++; !isReady(c) {
			must.Do(fmt.Errorf("ChannelConnector %s/%s is not Ready: %+v", c.Namespace, c.Name, c.Status.Conditions))
		}
	})
	if seen != b.resources {
		must.Do(fmt.Errorf("there are %d ChannelConnectors, want %d", seen, b.resources))
	}
}

// eachResource lists all resources, in pages.
func (b *bench) eachResource(ctx context.Context, f func(*v1alpha1.ChannelConnector)) {
	list := &v1alpha1.ChannelConnectorList{}
	for more := true; more; more = list.Continue != "" {
		must.Do(b.cluster.client.List(ctx, list, client.Limit(listPage), client.Continue(list.Continue)))
		for i := range list.Items {
			f(&list.Items[i])
		}
	}
}

func isReady(c *v1alpha1.ChannelConnector) bool {
	return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady)
}
