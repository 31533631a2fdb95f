// The floor: one thread that sends the same prebuilt bytes to the same sockets, one send() each. Nothing can cost less.
// What it hears is lines of seven bytes: R, a reader is here (as HTTP/1.1 101); S<number>, it reads this channel too;
// P<number>, a message for its readers; L<number>, so many thousands of the bytes to who asks.
// Of messages that come together on a channel the bytes go out in one send().
//
//   floor <bytes in hex>
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 7, CHANNELS = 100000, TOGETHER = 64, SLAB = 1 << 16 };
typedef struct channel {
  int *readers, count, waiting;
} channel;

static channel channels[CHANNELS];
static unsigned char *frames, *slab;
static size_t frame_length, slab_length;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_all(int fd, const unsigned char *at, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
    if (sent >= 0) {
      at += sent;
      length -= (size_t)sent;
      continue;
    }
    if (errno != EAGAIN) return; // who has left is told of by recv()
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    poll(&wait, 1, -1);
  }
}

static void add_reader(int number, int fd) {
  channel *c = &channels[number];
  c->readers = realloc(c->readers, sizeof(int) * (size_t)(c->count + 1));
  c->readers[c->count++] = fd;
}

static void publish(int number) {
  channel *c = &channels[number];
  size_t length = frame_length * (size_t)c->waiting;
  c->waiting = 0;
  for (int i = 0; i < c->count; i++) send_all(c->readers[i], frames, length);
}

static void send_log(int fd, long count) {
  size_t left = (size_t)count * 1000 * frame_length;
  while (left > 0) {
    size_t some = left < slab_length ? left : slab_length;
    send_all(fd, slab, some);
    left -= some;
  }
}

static void obey(int fd, const char *line, int *published, int *published_count) {
  int number = atoi(line + 1) % CHANNELS;
  if (line[0] == 'R') send_all(fd, (const unsigned char *)"HTTP/1.1 101 ok\r\n\r\n", 19);
  if (line[0] == 'S') {
    add_reader(number, fd);
    send_all(fd, (const unsigned char *)"\x81\x02ok", 4);
  }
  if (line[0] == 'L') send_log(fd, number);
  if (line[0] != 'P') return;
  if (channels[number].waiting++ == 0) published[(*published_count)++] = number;
  if (channels[number].waiting == TOGETHER) publish(number);
}

static int listen_somewhere(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0) fail("listen");
  if (getsockname(fd, (struct sockaddr *)&at, &length) != 0) fail("getsockname");
  printf("open http://127.0.0.1:%d/\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void build(const char *hex) {
  frame_length = strlen(hex) / 2;
  frames = malloc(frame_length * TOGETHER);
  for (size_t i = 0; i < frame_length; i++) {
    unsigned byte;
    sscanf(hex + 2 * i, "%2x", &byte);
    frames[i] = (unsigned char)byte;
  }
  for (int i = 1; i < TOGETHER; i++) memcpy(frames + frame_length * (size_t)i, frames, frame_length);
  size_t count = SLAB / frame_length;
  slab = malloc(slab_length = frame_length * count);
  for (size_t i = 0; i < count; i++) memcpy(slab + frame_length * i, frames, frame_length);
}

static void leave_with_parent(void) {
  char byte;
  if (read(STDIN_FILENO, &byte, 1) <= 0) exit(0);
}

int main(int count, char **given) {
  if (count != 2) return 2;
  build(given[1]);
  int poller = epoll_create1(0), listener = listen_somewhere(), yes = 1;
  int watched[] = {listener, STDIN_FILENO};
  for (int i = 0; i < 2; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
    epoll_ctl(poller, EPOLL_CTL_ADD, watched[i], &event);
  }
  for (;;) {
    struct epoll_event events[1024];
    static int published[CHANNELS];
    int ready = epoll_wait(poller, events, 1024, -1), published_count = 0;
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == STDIN_FILENO) leave_with_parent();
      if (fd == listener) {
        int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (peer < 0) continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = peer};
        epoll_ctl(poller, EPOLL_CTL_ADD, peer, &event);
        continue;
      }
      char text[LINE * TOGETHER + 1];
      ssize_t n = fd == STDIN_FILENO ? 0 : recv(fd, text, LINE * TOGETHER, 0);
      if (n == 0) close(fd);
      for (ssize_t at = 0; at + LINE <= n; at += LINE) obey(fd, text + at, published, &published_count);
    }
    for (int i = 0; i < published_count; i++) publish(published[i]);
  }
}
