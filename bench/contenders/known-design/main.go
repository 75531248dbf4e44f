// The three known Go designs, to be measured beside Millrace: what "Handling a million requests per minute with Go" began
// with and what it ended with. DESIGN says which:
//
//	goroutine   a goroutine for each payload
//	channel     one buffered channel, one consumer
//	pool        JobQueue, Dispatcher and WorkerPool: a channel of channels, and a goroutine for each job that waits
//
// With PUT_URL every payload is put below that URL, in a PUT of its own (not signed, which costs less than signing);
// without it a payload is dropped as soon as a worker has it. MAX_WORKERS and MAX_QUEUE are as in the article.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
)

const bodyBytesMax = 16 << 20

// PayloadCollection is one request's body.
type PayloadCollection struct {
	Version  string    `json:"version"`
	Token    string    `json:"token"`
	Payloads []Payload `json:"data"`
}

// Payload is one value that somebody wants kept.
type Payload struct{ json.RawMessage }

// Job is one payload to be stored.
type Job struct{ payload Payload }

// Store is where payloads go; without a URL nowhere.
type Store struct {
	url    string
	client *http.Client
	named  uint64
	failed uint64
}

func (s *Store) put(p Payload) {
	if s.url == "" {
		return
	}
	body := new(bytes.Buffer)
	if err := json.NewEncoder(body).Encode(p.RawMessage); err != nil {
		s.fail(err)
		return
	}
	name := strconv.FormatUint(atomic.AddUint64(&s.named, 1), 10)
	request, err := http.NewRequest(http.MethodPut, s.url+"/"+name, body)
	if err != nil {
		s.fail(err)
		return
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := s.client.Do(request)
	if err != nil {
		s.fail(err)
		return
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.fail(fmt.Errorf("the store says %s", response.Status))
	}
}

// fail does what the article does: the error is logged, the payload is gone.
func (s *Store) fail(err error) {
	if atomic.AddUint64(&s.failed, 1) == 1 {
		log.Printf("upload failed (further ones are not logged): %v", err)
	}
}

// Worker takes jobs off its own channel, which it offers to the pool whenever it is idle.
type Worker struct {
	pool chan chan Job
	jobs chan Job
}

func (w Worker) run(store *Store) {
	for {
		w.pool <- w.jobs
		job := <-w.jobs
		store.put(job.payload)
	}
}

// dispatch hands every job of the queue to an idle worker; each job waits for one in a goroutine of its own.
func dispatch(queue chan Job, workers int, store *Store) {
	pool := make(chan chan Job, workers)
	for i := 0; i < workers; i++ {
		worker := Worker{pool: pool, jobs: make(chan Job)}
		go worker.run(store)
	}
	for job := range queue {
		go func(job Job) {
			idle := <-pool
			idle <- job
		}(job)
	}
}

func number(name string, otherwise int) int {
	if value, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return value
	}
	return otherwise
}

func main() {
	workers := number("MAX_WORKERS", 32)
	queue := make(chan Job, number("MAX_QUEUE", 256))
	transport := &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}
	store := &Store{url: os.Getenv("PUT_URL"), client: &http.Client{Transport: transport}}

	submit := func(job Job) { queue <- job }
	switch design := os.Getenv("DESIGN"); design {
	case "goroutine":
		submit = func(job Job) { go store.put(job.payload) }
	case "channel":
		go func() {
			for job := range queue {
				store.put(job.payload)
			}
		}()
	case "pool":
		go dispatch(queue, workers, store)
	default:
		log.Fatalf("DESIGN is %q: goroutine, channel or pool", design)
	}

	http.HandleFunc("/payload", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		content := new(PayloadCollection)
		if err := json.NewDecoder(io.LimitReader(r.Body, bodyBytesMax)).Decode(content); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, payload := range content.Payloads {
			submit(Job{payload})
		}
		w.WriteHeader(http.StatusOK)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listens on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
