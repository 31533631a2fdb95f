// What the load's own parts know of each other.
#ifndef LOAD_H
#define LOAD_H
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>

enum kind { WEBSOCKET = 'w', MARKER = 'm', HTTP = 'h' };
/** In text that is counted by a marker, each message has one of these. */
#define MARKER_BYTE '|'

/** One connection: what was said on it so far, and how many messages came. */
typedef struct conn {
  int fd, index, step, kind, chunked, in_head, head_length, flags;
  unsigned char head[14];
  uint64_t skip, count;
  int64_t since;
  char *text;
  size_t text_length;
} conn;

/** Bytes to be sent; a run of five # is a number of five digits. */
typedef struct bytes {
  unsigned char *at;
  size_t length;
} bytes;

typedef struct group {
  conn **all;
  int count;
} group;

enum { OPENING = 100, BUFFER = 1 << 18, PROCESSES = 65, STEPS = 32 };

/** What the clocks say, of the server, each of its processes, and this process. */
typedef struct reading {
  int64_t at_ns, cpu_ns, server_waited_ns, waited_ns, each_ns[PROCESSES];
} reading;

extern group readers, publishers;
/** The channels: numbers in bytes are below it. */
extern int modulus;
/** Messages that have come to readers since a window began. */
extern uint64_t delivered;
/** Called for each message that came to a reader. */
extern void (*heard)(conn *c, uint64_t came);

int64_t now_ns(void);
_Noreturn void fail(const char *format, ...);
/** Takes what came: counts the messages in it, and answers pings. */
uint64_t take(conn *c, const unsigned char *at, size_t length);
void send_all(conn *c, const unsigned char *at, size_t length);
void send_numbered(conn *c, bytes b, unsigned number);
bytes from_hex(const char *text);
reading look(void);
void tell(reading from, uint64_t count, uint64_t messages);
int pump(int timeout_ms);
void await_deliveries(uint64_t wanted);
int dial(int port);
int steps_from_line(bytes *send, bytes *until);
void step_through(conn **batch, int count, bytes *send, bytes *until, int steps);

void fan(void);
void rate(void);
void echo(void);
void storm(void);
void read_log(void);
void turn(void);
#endif
