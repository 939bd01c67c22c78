// Puts Lean files on lean.proofs, reads verdicts from lean.results, or checks this code against the test vectors.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) > 2 && arguments[0] == "produce":
		return produce(arguments[1], arguments[2:])
	case len(arguments) == 3 && arguments[0] == "consume":
		count, err := strconv.Atoi(arguments[2])
		if err != nil {
			return err
		}
		return consume(arguments[1], count)
	case len(arguments) == 2 && arguments[0] == "vectors":
		return checkVectors(arguments[1])
	}
	return fmt.Errorf("produce SERVERS FILE... | consume SERVERS COUNT | vectors FOLDER")
}

// byHeader is a partitioner of franz-go, which asks it with the partitions that can be written to.
func byHeader() kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
		var chooser *affinity
		return func(record *kgo.Record, partitions int) int {
			if chooser == nil || len(chooser.sent) != partitions {
				starts := make([]float64, partitions)
				for number := range starts {
					starts[number] = rand.Float64()
				}
				chooser = newAffinity(starts)
			}
			return chooser.choose(string(record.Key), func(int) bool { return true })
		}
	})
}

func produce(servers string, files []string) error {
	// franz-go waits for all replicas and is idempotent by default.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.DefaultProduceTopic("lean.proofs"),
		kgo.RecordPartitioner(byHeader()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, file := range files {
		proof, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		value, err := json.Marshal(map[string]string{"custom_id": file, "proof": string(proof)})
		if err != nil {
			return err
		}
		key := keyOf(canonicalHeader(string(proof)))
		client.Produce(context.Background(), &kgo.Record{Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, file, "was not sent:", err)
			}
		})
	}
	return client.Flush(context.Background())
}

func consume(servers string, count int) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.ConsumeTopics("lean.results"),
		kgo.ConsumerGroup("example-go"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for count > 0 {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			var result struct{ Status, Reason string }
			if err := json.Unmarshal(record.Value, &result); err != nil {
				return err
			}
			// Only `verified` is proved. `inconclusive` says nothing about the proof.
			fmt.Println(string(record.Key), result.Status, result.Reason)
			count--
		}
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
