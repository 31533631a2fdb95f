// Counts what came on a connection, without looking at what it says.
#include "load.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint64_t take_frames(conn *c, const unsigned char *at, size_t length);
static uint64_t take_answers(conn *c, const unsigned char *at, size_t length);
static uint64_t take_markers(const unsigned char *at, size_t length);

uint64_t take(conn *c, const unsigned char *at, size_t length) {
  uint64_t came = c->kind == MARKER  ? take_markers(at, length)
                  : c->kind == HTTP ? take_answers(c, at, length)
                                    : take_frames(c, at, length);
  c->count += came;
  return came;
}

static uint64_t take_markers(const unsigned char *at, size_t length) {
  uint64_t found = 0;
  const unsigned char *end = at + length;
  while ((at = memchr(at, MARKER_BYTE, (size_t)(end - at))) != NULL) {
    found++;
    at++;
  }
  return found;
}

/** How many bytes the head of a frame has, by its first two. */
static int head_of(const unsigned char *head) {
  int length = head[1] & 127;
  return length == 127 ? 10 : length == 126 ? 4 : 2;
}

static uint64_t payload_of(const unsigned char *head, int size) {
  if (size == 2) return head[1] & 127;
  uint64_t length = 0;
  for (int i = 2; i < size; i++) length = length << 8 | head[i];
  return length;
}

/** The answer to the upgrade, then frames of text. */
static uint64_t take_frames(conn *c, const unsigned char *at, size_t length) {
  uint64_t came = 0;
  const unsigned char *end = at + length;
  while (at < end) {
    if (c->in_head < 4) {
      c->in_head = *at == "\r\n\r\n"[c->in_head] ? c->in_head + 1 : *at == '\r';
      at++;
    } else if (c->skip > 0) {
      uint64_t some = (uint64_t)(end - at) < c->skip ? (uint64_t)(end - at) : c->skip;
      c->skip -= some;
      at += some;
      if (c->skip == 0 && (c->flags & 15) < 3) came++;
    } else {
      c->head[c->head_length++] = *at++;
      if (c->head_length < 2 || c->head_length < head_of(c->head)) continue;
      c->flags = c->head[0];
      c->skip = payload_of(c->head, c->head_length);
      c->head_length = 0;
      int opcode = c->flags & 15;
      if (opcode == 8) fail("the server has closed a connection");
      if (opcode == 9) send_all(c, (const unsigned char *)"\x8a\x80\0\0\0", 6);
      if (c->skip == 0 && opcode < 3) came++;
    }
  }
  return came;
}

/** The length of the body that a head tells of; -1 where it comes in chunks. */
static int64_t body_of(const char *head) {
  if (strncmp(head, "HTTP/1.1 2", 10) != 0) fail("answered: %.300s", head);
  if (strcasestr(head, "transfer-encoding: chunked") != NULL) return -1;
  const char *said = strcasestr(head, "content-length:");
  return said == NULL ? 0 : strtoll(said + 15, NULL, 10);
}

/** Whole answers of HTTP: in_head tells how much of the end of a head, or of a body in chunks, was seen. */
static uint64_t take_answers(conn *c, const unsigned char *at, size_t length) {
  uint64_t came = 0;
  for (const unsigned char *end = at + length; at < end;) {
    if (c->skip > 0) {
      uint64_t some = (uint64_t)(end - at) < c->skip ? (uint64_t)(end - at) : c->skip;
      c->skip -= some;
      at += some;
      if (c->skip == 0) came++;
    } else if (c->chunked) {
      const char *last = "0\r\n\r\n";
      c->in_head = *at == last[c->in_head] ? c->in_head + 1 : *at == '0';
      at++;
      if (c->in_head < 5) continue;
      c->chunked = c->in_head = 0;
      came++;
    } else {
      if (c->text == NULL) c->text = malloc(8192);
      if (c->text_length > 8190) fail("a head of HTTP is too long");
      c->text[c->text_length++] = (char)*at;
      c->in_head = *at == "\r\n\r\n"[c->in_head] ? c->in_head + 1 : *at == '\r';
      at++;
      if (c->in_head < 4) continue;
      c->text[c->text_length] = 0;
      int64_t body = body_of(c->text);
      c->in_head = 0;
      c->text_length = 0;
      c->chunked = body < 0;
      c->skip = body > 0 ? (uint64_t)body : 0;
      if (body == 0) came++;
    }
  }
  return came;
}
