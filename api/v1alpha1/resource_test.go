package v1alpha1_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// create makes the smallest resource, with patches, and returns it as stored.
func create(ctx context.Context, patches ...string) *v1alpha1.ChannelConnector {
	GinkgoHelper()
	r := resource(patches...)
	Expect(k8s.Create(ctx, r)).To(Succeed())
	return stored(ctx, r.GetName())
}

func stored(ctx context.Context, name string) *v1alpha1.ChannelConnector {
	GinkgoHelper()
	c := &v1alpha1.ChannelConnector{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, c)).To(Succeed())
	return c
}

var _ = Describe("The smallest resource", func() {
	It("gets the defaults that package schema gives it", func(ctx context.Context) {
		want, err := schema.Decode(ctx, []byte(schematest.Smallest))
		Expect(err).NotTo(HaveOccurred())
		Expect(create(ctx).Spec).To(Equal(want.Spec))
	})
})

var _ = Describe("A resource at which no operator has looked", func() {
	It("says so to Flux, which takes what says nothing for ready", func(ctx context.Context) {
		Expect(create(ctx).Status.ObservedGeneration).To(BeEquivalentTo(-1))
	})
})

var _ = Describe("Odd input", func() {
	It("may be a name of 253 characters", func(ctx context.Context) {
		r := resource()
		r.SetName(strings.Repeat("n", 253))
		Expect(k8s.Create(ctx, r)).To(Succeed())
		r = resource()
		r.SetName(strings.Repeat("n", 254))
		Expect(messages(k8s.Create(ctx, r))).To(ConsistOf(HavePrefix("metadata.name: Invalid value: ")))
	})

	It("may be a thousand OAs with names in any script", func(ctx context.Context) {
		var accounts []string
		for i := range 1000 {
			accounts = append(accounts, fmt.Sprintf(`{id: "%d", displayName: "Cửa hàng số %d 🛍️ متجر"}`, i, i))
		}
		list := create(ctx, "zaloOA: {officialAccounts: ["+strings.Join(accounts, ", ")+"]}").Spec.ZaloOA.OfficialAccounts
		Expect(list).To(HaveLen(1000))
		Expect(list[999]).To(Equal(v1alpha1.OfficialAccount{ID: "999", DisplayName: "Cửa hàng số 999 🛍️ متجر"}))
	})

	It("may not be an unknown field", func(ctx context.Context) {
		err := k8s.Create(ctx, resource("zaloOA: {appId: a}, telegram: {}"))
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.telegram", unknown field "spec.zaloOA.appId"`)))
	})
})

// apply is a server-side apply of a patch of the smallest resource.
func apply(ctx context.Context, manager, patch string) {
	GinkgoHelper()
	Expect(k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(resource(patch)), client.FieldOwner(manager))).To(Succeed())
}

var _ = Describe("Server-side apply", func() {
	const (
		mine = `
			webhook: {apiKeys: [{name: a, secretKeyRef: {name: keys, key: a}}], events: {exclude: ["oa_send_*"]}},
			zaloOA: {signature: {secretKeyRefs: [{name: s, key: a}]}, officialAccounts: [{id: "1"}]},
			sink: {http: {headers: [{name: A, secretKeyRef: {name: h, key: a}}]}},
			workload: {imagePullSecrets: [{name: a}]}`
		theirs = `
			webhook: {apiKeys: [{name: b, secretKeyRef: {name: keys, key: b}}], events: {exclude: [follow]}},
			zaloOA: {signature: {secretKeyRefs: [{name: s, key: b}]}, officialAccounts: [{id: "2"}]},
			sink: {http: {headers: [{name: B, secretKeyRef: {name: h, key: b}}]}},
			workload: {imagePullSecrets: [{name: b}]}`
	)

	It("merges the entries of lists, and takes out one's own only", func(ctx context.Context) {
		apply(ctx, "mine", mine)
		apply(ctx, "theirs", theirs)
		c := stored(ctx, "shop").Spec
		Expect(c.Webhook.APIKeys).To(HaveLen(2))
		Expect(c.Webhook.Events.Exclude).To(ConsistOf("oa_send_*", "follow"))
		Expect(c.ZaloOA.Signature.SecretKeyRefs).To(HaveLen(2))
		Expect(c.ZaloOA.OfficialAccounts).To(HaveLen(2))
		Expect(c.Sink.HTTP.Headers).To(HaveLen(2))
		Expect(c.Workload.ImagePullSecrets).To(HaveLen(2))

		apply(ctx, "mine", `zaloOA: {signature: {secretKeyRefs: [{name: s, key: c}]}}`)
		c = stored(ctx, "shop").Spec
		Expect(c.Webhook.APIKeys).To(HaveExactElements(HaveField("Name", "b")))
		Expect(c.Webhook.Events.Exclude).To(ConsistOf("follow"))
		Expect(c.ZaloOA.Signature.SecretKeyRefs).To(ConsistOf(HaveField("Key", "b"), HaveField("Key", "c")))
		Expect(c.ZaloOA.OfficialAccounts).To(HaveExactElements(HaveField("ID", "2")))
		Expect(c.Sink.HTTP.Headers).To(HaveExactElements(HaveField("Name", "B")))
		Expect(c.Workload.ImagePullSecrets).To(HaveExactElements(HaveField("Name", "b")))
	})
})

const webhookURL = "https://hooks.example.com/webhook/xpbot/api/zalo/push?param.header.xp-api-key=<key>"

// report writes a status.
func report(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	tenDaysAgo := metav1.NewTime(time.Now().Add(-10*24*time.Hour - time.Hour))
	c.Status = v1alpha1.ChannelConnectorStatus{
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Available", LastTransitionTime: metav1.Now()},
			{Type: v1alpha1.ConditionExposed, Status: metav1.ConditionUnknown, Reason: "Pending", LastTransitionTime: metav1.Now()},
		},
		Address:    &v1alpha1.Address{URL: "http://shop-connector.chat.svc"},
		WebhookURL: webhookURL,
		Traffic:    &v1alpha1.TrafficStatus{Pending: 7, LastEventTime: &tenDaysAgo},
		Replicas:   1,
		Selector:   "app.kubernetes.io/instance=shop",
	}
	Expect(k8s.Status().Update(ctx, c)).To(Succeed())
}

var _ = Describe("The scale subresource", func() {
	It("reads and sets workload.replicas within the rules", func(ctx context.Context) {
		c := create(ctx)
		report(ctx, c)
		scale := &autoscalingv1.Scale{}
		Expect(k8s.SubResource("scale").Get(ctx, c, scale)).To(Succeed())
		Expect(scale.Spec.Replicas).To(BeEquivalentTo(1))
		Expect(scale.Status).To(Equal(autoscalingv1.ScaleStatus{Replicas: 1, Selector: "app.kubernetes.io/instance=shop"}))

		kubectl("scale", "chc/shop", "--replicas=0")
		Expect(stored(ctx, "shop").Spec.Workload.Replicas).To(HaveValue(BeEquivalentTo(0)))

		scale = &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
		err := k8s.SubResource("scale").Update(ctx, c, client.WithSubResourceBody(scale))
		Expect(err).To(MatchError(ContainSubstring("workload.replicas: an Embedded inbox belongs to one pod: write 0 or 1")))
	})
})

var _ = Describe("kubectl", func() {
	It("shows columns, wide ones among them", func(ctx context.Context) {
		report(ctx, create(ctx))
		rows := strings.Split(kubectl("get", "xbot", "--output=custom-columns=NAME:.metadata.name"), "\n")
		Expect(rows).To(ContainElement("shop"))
		Expect(table("get", "chc")).To(Equal([][]string{
			{"NAME", "TYPE", "APP ID", "READY", "EXPOSED", "URL", "AGE"},
			{"shop", "ZaloOA", "2553928453557884079", "True", "Unknown", webhookURL},
		}))
		Expect(table("get", "chc", "--output=wide")).To(Equal([][]string{
			{
				"NAME", "TYPE", "APP ID", "READY", "EXPOSED", "URL",
				"REASON", "ADDRESS", "INBOX", "SINK", "REPLICAS", "BACKLOG", "LAST EVENT", "AGE",
			},
			{
				"shop", "ZaloOA", "2553928453557884079", "True", "Unknown", webhookURL,
				"Available", "http://shop-connector.chat.svc", "Embedded", "http://bot.chat.svc/events", "1", "7", "10d",
			},
		}))
	})

	It("explains fields", func() {
		Expect(kubectl("explain", "chc.spec.zaloOA.signature.mode")).To(ContainSubstring("Audit accepts, counts and reports it"))
	})
})

// columns separates what kubectl prints.
var columns = regexp.MustCompile(` {2,}`)

// table runs kubectl and returns the cells that it prints, without the age.
func table(args ...string) [][]string {
	GinkgoHelper()
	var cells [][]string
	for line := range strings.Lines(kubectl(args...)) {
		row := columns.Split(strings.TrimSpace(line), -1)
		if len(cells) > 0 {
			row = row[:len(row)-1]
		}
		cells = append(cells, row)
	}
	return cells
}
