package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// rest is how long the operator is left alone before its memory is read: a
// garbage collection that is under way ends, and what it freed goes back.
const rest = 10 * time.Second

// The memory that figure 2 allows, in MiB.
const (
	memoryLimitSmall   = 80
	memoryLimitLarge   = 200
	memoryLimitSecrets = 20
)

func memorySmall(ctx context.Context, b *bench) error {
	return b.memory(ctx, "", memoryLimitSmall)
}

func memoryLarge(ctx context.Context, b *bench) error {
	return b.memory(ctx, "", memoryLimitLarge)
}

func memoryRestarted(ctx context.Context, b *bench) error {
	if err := b.restartOperator(ctx); err != nil {
		return err
	}
	return b.memory(ctx, ", after a restart", memoryLimitLarge)
}

// memory reads the memory of the operator at rest.
func (b *bench) memory(ctx context.Context, when string, limit float64) error {
	used, err := b.atRest(ctx)
	if err != nil {
		return err
	}
	row := benchmark.Under(2, fmt.Sprintf("memory with %d resources%s", b.resources, when), used.Resident, limit, "MiB")
	row.Result += fmt.Sprintf(" (most so far %.1f)", used.Peak)
	b.Add(row)
	return nil
}

func (b *bench) atRest(ctx context.Context) (process.Usage, error) {
	if err := benchmark.Pause(ctx, rest); err != nil {
		return process.Usage{}, err
	}
	return b.operator.Life().Usage()
}

// unrelatedSecrets is what Secrets add that no resource names.
func unrelatedSecrets(ctx context.Context, b *bench) error {
	before, err := b.atRest(ctx)
	if err != nil {
		return err
	}
	if err := forEach(ctx, 0, b.secrets, b.makeUnrelated); err != nil {
		return err
	}
	after, err := b.atRest(ctx)
	if err != nil {
		return err
	}
	measure := fmt.Sprintf("memory that %d unrelated Secrets of 10 KiB add", b.secrets)
	row := benchmark.Under(2, measure, after.Resident-before.Resident, memoryLimitSecrets, "MiB")
	row.Result += fmt.Sprintf(" (%.1f to %.1f)", before.Resident, after.Resident)
	b.Add(row)
	return nil
}

// secretSize is that of an unrelated Secret, in bytes.
const secretSize = 10 << 10

func (b *bench) makeUnrelated(ctx context.Context, i int) error {
	data := make([]byte, secretSize)
	rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(data) //nolint:errcheck // it never fails
	return b.cluster.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(i), Name: fmt.Sprintf("unrelated-%05d", i)},
		Data:       map[string][]byte{"data": data},
	})
}
