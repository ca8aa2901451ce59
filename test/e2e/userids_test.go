//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

var _ = Describe("A channel whose ids are the cluster's", func() {
	It("runs where the cluster gives none: it reads its configuration, stores and answers", func(ctx context.Context) {
		installOperator(ctx, version)
		c := declareChannel(ctx, ephemeral, func(d *declaration) {
			d.Spec.WithWorkload(v1alpha1ac.Workload().WithUserIDs(v1alpha1.UserIDsCluster))
		})
		c.becomesReady(ctx)
		security := c.pod(ctx).Spec.SecurityContext
		Expect(security.FSGroup).To(BeNil())
		Expect(security.RunAsUser).To(BeNil())
		Expect(c.post(ctx, c.current)).To(Equal(http.StatusOK))
		c.connector(ctx, "status") // the admin socket is the process's own
	}, SpecTimeout(5*time.Minute))
})
