package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// checkVectors holds this code against the test vectors of a folder.
func checkVectors(folder string) error {
	var headers struct {
		Headers []struct{ Proof, Header, Key string }
	}
	var vectors struct {
		Jumps []struct {
			Number    string
			Partition map[string]int
		}
		Orders []struct {
			Key   string
			First map[string][]int
		}
		Trace struct {
			Starts []float64
			Steps  []struct {
				WithoutLeader       []int `json:"without_leader"`
				Headers, Partitions []int
			}
		}
	}
	if err := read(filepath.Join(folder, "header.vectors.json"), &headers); err != nil {
		return err
	}
	if err := read(filepath.Join(folder, "partitioner.vectors.json"), &vectors); err != nil {
		return err
	}
	checked := 0
	for _, each := range headers.Headers {
		header := canonicalHeader(each.Proof)
		if header != each.Header || keyOf(header) != each.Key {
			return fmt.Errorf("%q: expected the header %q, found %q", each.Proof, each.Header, header)
		}
		checked++
	}
	for _, each := range vectors.Jumps {
		number, _ := strconv.ParseUint(each.Number, 10, 64)
		for text, expected := range each.Partition {
			partitions, _ := strconv.Atoi(text)
			if found := jump(number, partitions); found != expected {
				return fmt.Errorf("jump(%d, %d): expected %d, found %d", number, partitions, expected, found)
			}
			checked++
		}
	}
	for _, each := range vectors.Orders {
		for text, expected := range each.First {
			partitions, _ := strconv.Atoi(text)
			if found := order(each.Key, partitions, len(expected)); !slices.Equal(found, expected) {
				return fmt.Errorf("order of %s: expected %v, found %v", each.Key, expected, found)
			}
			checked++
		}
	}
	chooser := newAffinity(vectors.Trace.Starts)
	for _, step := range vectors.Trace.Steps {
		hasLeader := func(number int) bool { return !slices.Contains(step.WithoutLeader, number) }
		for index, header := range step.Headers {
			if found := chooser.choose(vectors.Orders[header].Key, hasLeader); found != step.Partitions[index] {
				return fmt.Errorf("record %d: expected partition %d, found %d", checked, step.Partitions[index], found)
			}
			checked++
		}
	}
	fmt.Println(checked, "vectors hold")
	return nil
}

func read(path string, into any) error {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}
