// The load on one server, on raw sockets of the loopback: told by lines on stdin, which it answers by lines on stdout.
// It spins while it measures: a reader that sleeps makes the server pay for waking it.
//
//   server <pid>…                                   whose CPU time is measured: that of all of them, and each
//   modulus <count>                                 the channels: what ##### counts up to
//   open r|p <kind> <count> <port> (<send> <until>)…  readers or publishers, each with these steps; bytes are in hex
//   fan <ms> <burst> <per> <bytes>                  bursts of messages, each when the last one has reached all
//   rate <ms> <perSecond> <per> <bytes>             one message at a time, at a rate
//   echo <ms> <connections> <bytes>                 each reader sends when it has got its answer
//   storm <ms> <connections> <port> (<send> <until>)…  connects, goes through these steps, closes
//   read <count> <bytes>                            the first reader sends this, and counts what comes
//   turn <ms> <gapMs> <request> <bytes>             all readers ask, and a message answers them: long-polling
//   close                                           ends all connections
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1024, STUCK_S = 20 };

group readers, publishers;
int modulus = 1;
static int poller;
static long server_pids[PROCESSES];
static clockid_t server_clocks[PROCESSES];
static int server_count;
uint64_t delivered;
static unsigned char buffer[BUFFER];
/** Called for each message that came to a reader. */
void (*heard)(conn *c, uint64_t came);

int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

_Noreturn void fail(const char *format, ...) {
  va_list given;
  va_start(given, format);
  vfprintf(stderr, format, given);
  fputc('\n', stderr);
  exit(1);
}

void send_all(conn *c, const unsigned char *at, size_t length) {
  while (length > 0) {
    ssize_t sent = send(c->fd, at, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    if (sent < 0) continue;
    at += sent;
    length -= (size_t)sent;
  }
}

/** Sends the bytes with this number in their place. */
void send_numbered(conn *c, bytes b, unsigned number) {
  unsigned char *place = memmem(b.at, b.length, "#####", 5);
  if (place == NULL) {
    send_all(c, b.at, b.length);
    return;
  }
  char digits[8];
  snprintf(digits, sizeof digits, "%05u", number % 100000);
  memcpy(place, digits, 5);
  send_all(c, b.at, b.length);
  memcpy(place, "#####", 5);
}

bytes from_hex(const char *text) {
  if (text == NULL) fail("bytes are missing");
  bytes b = {malloc(strlen(text) / 2 + 1), strlen(text) / 2};
  for (size_t i = 0; i < b.length; i++) {
    unsigned byte;
    sscanf(text + 2 * i, "%2x", &byte);
    b.at[i] = (unsigned char)byte;
  }
  return b;
}

static int64_t waited_ns(const char *pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/schedstat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  long long ran, waited = 0;
  if (fscanf(file, "%lld %lld", &ran, &waited) != 2) waited = 0;
  fclose(file);
  return waited;
}

reading look(void) {
  char pid[24];
  snprintf(pid, sizeof pid, "%ld", server_pids[0]);
  reading r = {.waited_ns = waited_ns("self"), .at_ns = now_ns()};
  if (server_count == 1) r.server_waited_ns = waited_ns(pid); // several wait for each other
  for (int i = 0; i < server_count; i++) {
    struct timespec t;
    if (clock_gettime(server_clocks[i], &t) != 0) fail("the server is gone");
    r.cpu_ns += r.each_ns[i] = t.tv_sec * 1000000000LL + t.tv_nsec;
  }
  return r;
}

/** What has happened since: the start of a line of JSON, which the caller ends. */
void tell(reading from, uint64_t count, uint64_t messages) {
  reading to = look();
  printf("{\"deliveries\":%llu,\"messages\":%llu,\"cpuNs\":%lld,\"wallNs\":%lld,\"serverWaitedNs\":%lld,\"waitedNs\":%lld",
         (unsigned long long)count, (unsigned long long)messages, (long long)(to.cpu_ns - from.cpu_ns),
         (long long)(to.at_ns - from.at_ns), (long long)(to.server_waited_ns - from.server_waited_ns),
         (long long)(to.waited_ns - from.waited_ns));
  for (int i = 0; i < server_count; i++)
    printf("%s%lld", i == 0 ? ",\"eachNs\":[" : ",", (long long)(to.each_ns[i] - from.each_ns[i]));
  if (server_count > 0) putchar(']');
}

/** Takes what came; false where the connection has nothing more. */
static void hear(conn *c) {
  ssize_t n = recv(c->fd, buffer, BUFFER, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) fail("a connection has ended: %s", n == 0 ? "the server closed it" : strerror(errno));
  uint64_t came = take(c, buffer, (size_t)n);
  if (came > 0 && c->step == 0) {
    delivered += came;
    if (heard != NULL) heard(c, came);
  }
}

/** One look at all connections; true where stdin has something to say. */
int pump(int timeout_ms) {
  struct epoll_event events[EVENTS];
  int said = 0;
  int count = epoll_wait(poller, events, EVENTS, timeout_ms);
  for (int i = 0; i < count; i++) {
    if (events[i].data.ptr == NULL) said = 1;
    else hear(events[i].data.ptr);
  }
  return said;
}

void await_deliveries(uint64_t wanted) {
  int64_t stuck_ns = now_ns() + STUCK_S * 1000000000LL;
  while (delivered < wanted) {
    pump(0);
    if (now_ns() > stuck_ns) fail("%llu of %llu came", (unsigned long long)delivered, (unsigned long long)wanted);
  }
}

int dial(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct timeval stuck = {STUCK_S, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stuck, sizeof stuck);
  return fd;
}

/** Whether what came since the step began has this in it. */
static int has_come(conn *c, bytes until, const unsigned char *at, size_t length) {
  c->text = realloc(c->text, c->text_length + length + 1);
  memcpy(c->text + c->text_length, at, length);
  c->text_length += length;
  return memmem(c->text, c->text_length, until.at, until.length) != NULL;
}

/** Goes through the steps of one batch of connections, all at a time. */
void step_through(conn **batch, int count, bytes *send, bytes *until, int steps) {
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < count; i++)
      send_numbered(batch[i], send[step], (unsigned)((batch[i]->index + step * 997) % modulus));
    for (int i = 0; i < count; i++) {
      if (until[step].length == 0) continue;
      for (;;) {
        ssize_t n = recv(batch[i]->fd, buffer, BUFFER, 0);
        if (n <= 0) fail("a connection has ended, or is not answered, while it is opened: %.300s", batch[i]->text_length ? batch[i]->text : "");
        take(batch[i], buffer, (size_t)n);
        if (has_come(batch[i], until[step], buffer, (size_t)n)) break;
      }
      batch[i]->text_length = 0;
    }
  }
}

static void start_hearing(conn *c, int counts) {
  free(c->text);
  c->text = NULL;
  c->count = 0;
  c->step = !counts; // what publishers hear is nobody's delivery
  struct timeval soon = {0, 1};
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

/** What is left of the line, as pairs of what is sent and what ends the wait; how many there are. */
int steps_from_line(bytes *send, bytes *until) {
  int steps = 0;
  for (char *text; steps < STEPS && (text = strtok(NULL, " ")) != NULL; steps++) {
    send[steps] = from_hex(text);
    char *end = strtok(NULL, " ");
    until[steps] = from_hex(strcmp(end, "-") == 0 ? "" : end);
  }
  return steps;
}

static void open_some(void) {
  group *g = strtok(NULL, " ")[0] == 'r' ? &readers : &publishers;
  int kind = strtok(NULL, " ")[0], count = atoi(strtok(NULL, " ")), port = atoi(strtok(NULL, " "));
  bytes send[STEPS], until[STEPS];
  int steps = steps_from_line(send, until);
  reading before = look();
  g->all = realloc(g->all, sizeof(conn *) * (size_t)(g->count + count));
  for (int done = 0; done < count; done += OPENING) {
    conn **batch = g->all + g->count;
    int some = count - done < OPENING ? count - done : OPENING;
    for (int i = 0; i < some; i++) {
      batch[i] = calloc(1, sizeof(conn));
      *batch[i] = (conn){.fd = dial(port), .index = g->count + i, .kind = kind, .step = 1};
    }
    step_through(batch, some, send, until, steps);
    for (int i = 0; i < some; i++) start_hearing(batch[i], g == &readers);
    g->count += some;
    pump(0);
  }
  tell(before, (uint64_t)count, 0);
  puts("}");
}

static void close_group(group *g) {
  for (int i = 0; i < g->count; i++) {
    close(g->all[i]->fd);
    free(g->all[i]->text);
    free(g->all[i]);
  }
  g->count = 0;
}

static void obey(char *line) {
  const char *command = strtok(line, " ");
  if (command == NULL) fail("an empty line");
  if (strcmp(command, "open") == 0) open_some();
  else if (strcmp(command, "fan") == 0) fan();
  else if (strcmp(command, "rate") == 0) rate();
  else if (strcmp(command, "echo") == 0) echo();
  else if (strcmp(command, "storm") == 0) storm();
  else if (strcmp(command, "read") == 0) read_log();
  else if (strcmp(command, "turn") == 0) turn();
  else if (strcmp(command, "server") == 0) {
    server_count = 0;
    for (char *word; server_count < PROCESSES && (word = strtok(NULL, " ")) != NULL; server_count++) {
      long pid = server_pids[server_count] = atol(word);
      if (clock_getcpuclockid((pid_t)pid, &server_clocks[server_count]) != 0) fail("there is no process %ld", pid);
    }
    puts("{}");
  } else if (strcmp(command, "modulus") == 0) {
    modulus = atoi(strtok(NULL, " "));
    puts("{}");
  } else if (strcmp(command, "close") == 0) {
    close_group(&readers);
    close_group(&publishers);
    puts("{}");
  } else fail("what is %s?", command);
  fflush(stdout);
}

/** Between two commands it sleeps, and answers pings. */
int main(void) {
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  size_t room = 1 << 20, length = 0;
  char *line = malloc(room);
  for (;;) {
    if (!pump(-1)) continue;
    ssize_t n = read(STDIN_FILENO, line + length, room - length - 1);
    if (n <= 0) return 0;
    length += (size_t)n;
    line[length] = 0;
    char *from = line;
    for (char *end; (end = strchr(from, '\n')) != NULL; from = end + 1) {
      *end = 0;
      obey(from);
    }
    length -= (size_t)(from - line);
    memmove(line, from, length);
  }
}
