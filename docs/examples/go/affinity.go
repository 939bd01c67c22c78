package main

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

const (
	window   = 16_384
	counters = 4_096
)

// affinity chooses partitions: steps 2 to 6 of schemas/partitioner.md. One for each producer, in one goroutine.
type affinity struct {
	sent    []float64
	counts  map[string]float64
	orders  map[string][]int
	missing map[int]bool
	total   float64
}

// newAffinity takes what each partition's count begins with: numbers below 1, by chance.
func newAffinity(starts []float64) *affinity {
	return &affinity{sent: slices.Clone(starts), counts: map[string]float64{}, orders: map[string][]int{}}
}

// jump is step 2's jump consistent hashing of a 64-bit number.
func jump(number uint64, partitions int) int {
	at, after := int64(-1), int64(0)
	for after < int64(partitions) {
		at = after
		number = number*2862933555777941757 + 1
		after = ((at + 1) << 31) / (int64(number>>33) + 1)
	}
	return int(at)
}

// order has the first partitions in the order of a key.
func order(key string, partitions, first int) []int {
	var order []int
	first = min(first, partitions)
	for block := uint32(0); len(order) < first; block++ {
		digest := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(key), block))
		for at := 0; at < len(digest) && len(order) < first; at += 8 {
			if number := jump(binary.BigEndian.Uint64(digest[at:]), partitions); !slices.Contains(order, number) {
				order = append(order, number)
			}
		}
	}
	return order
}

// choose is steps 3 to 6. An empty key: none is known. hasLeader tells whether a partition has one.
func (a *affinity) choose(key string, hasLeader func(int) bool) int {
	a.leaders(hasLeader)
	partitions := len(a.sent)
	having := partitions - len(a.missing)
	own, isNew := having, false
	if key != "" {
		known := a.count(key)
		isNew = known <= 1
		own = min(partitions, max(1, int(math.Ceil(3*known*float64(partitions)/(2*a.total)))))
	}
	chosen := -1
	if own >= having {
		chosen = a.leastOfAll()
	} else {
		chosen = a.leastOf(key, own, having, isNew)
	}
	a.sent[chosen]++
	return chosen
}

func (a *affinity) leastOf(key string, count, having int, isNew bool) int {
	relief, slack := max(2*count, 4), 8.0
	if isNew {
		relief, slack = max(2*count, 8), 0
	}
	if a.orders[key] == nil {
		// Whole, although only its beginning is needed: an example may be simple.
		a.orders[key] = order(key, len(a.sent), len(a.sent))
	}
	leading := slices.DeleteFunc(slices.Clone(a.orders[key]), func(number int) bool { return a.missing[number] })
	own := a.least(leading[:count])
	other := a.leastOfAll()
	if relief < having {
		other = a.least(leading[:relief])
	}
	if a.sent[own] <= a.sent[other]+slack {
		return own
	}
	if isNew {
		rest := slices.DeleteFunc(a.orders[key], func(number int) bool { return number == other })
		a.orders[key] = append([]int{other}, rest...)
	}
	return other
}

func (a *affinity) least(order []int) int {
	return slices.MinFunc(order, func(one, other int) int {
		if a.sent[one] < a.sent[other] {
			return -1
		}
		if a.sent[one] > a.sent[other] {
			return 1
		}
		return 0
	})
}

func (a *affinity) leastOfAll() int {
	var leading []int
	for number := range a.sent {
		if !a.missing[number] {
			leading = append(leading, number)
		}
	}
	return a.least(leading)
}

// count is step 5: how many records with this key there were of late, this one included.
func (a *affinity) count(key string) float64 {
	a.total++
	if _, known := a.counts[key]; known || len(a.counts) < counters {
		a.counts[key]++
	} else {
		for other := range a.counts {
			if a.counts[other]--; a.counts[other] <= 0 {
				delete(a.counts, other)
			}
		}
	}
	if a.total >= window {
		a.total /= 2
		for other, count := range a.counts {
			if a.counts[other] = count / 2; count <= 1 {
				delete(a.counts, other)
			}
		}
		for number := range a.sent {
			a.sent[number] /= 2
		}
	}
	return a.counts[key]
}

// leaders is step 6: a partition that has a leader again gets the mean, if it has less.
func (a *affinity) leaders(hasLeader func(int) bool) {
	gone, mean := map[int]bool{}, 0.0
	for number, sent := range a.sent {
		mean += sent / float64(len(a.sent))
		if !hasLeader(number) {
			gone[number] = true
		}
	}
	for number := range a.missing {
		if !gone[number] {
			a.sent[number] = max(a.sent[number], mean)
		}
	}
	if len(gone) == len(a.sent) {
		gone = nil
	}
	a.missing = gone
}
