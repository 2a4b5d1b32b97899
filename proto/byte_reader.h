/*
 * Byte reader: takes numbers, strings and runs of bytes from a message of known size. Numbers are
 * big-endian (PostgreSQL) or, with `le` in the name, little-endian (MySQL).
 *
 * Every getter returns false, and moves nothing, where the message is too short; its answer must be
 * checked. Nothing is copied: strings and bytes point into the message.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct ByteReader {
    const guint8 *data;
    gsize size;
    gsize offset;
} ByteReader;

static inline ByteReader byte_reader(const guint8 *data, gsize size)
{
    return (ByteReader){.data = data, .size = size};
}

static inline gsize byte_reader_left(const ByteReader *reader)
{
    return reader->size - reader->offset;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_bytes(ByteReader *reader, gsize size, const guint8 **bytes)
{
    if (byte_reader_left(reader) < size)
        return false;
    *bytes = reader->data + reader->offset;
    reader->offset += size;
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_u8(ByteReader *reader, guint8 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, 1, &bytes))
        return false;
    *value = bytes[0];
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_u16(ByteReader *reader, guint16 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, sizeof *value, &bytes))
        return false;
    memcpy(value, bytes, sizeof *value);
    *value = GUINT16_FROM_BE(*value);
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_u32(ByteReader *reader, guint32 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, sizeof *value, &bytes))
        return false;
    memcpy(value, bytes, sizeof *value);
    *value = GUINT32_FROM_BE(*value);
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_u64(ByteReader *reader, guint64 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, sizeof *value, &bytes))
        return false;
    memcpy(value, bytes, sizeof *value);
    *value = GUINT64_FROM_BE(*value);
    return true;
}

/* A text that ends with a zero byte inside the message. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_string(ByteReader *reader, const char **text)
{
    const guint8 *start = reader->data + reader->offset;
    const guint8 *end =
        byte_reader_left(reader) > 0 ? memchr(start, 0, byte_reader_left(reader)) : NULL;
    if (!end)
        return false;
    *text = (const char *)start;
    reader->offset += (gsize)(end - start) + 1;
    return true;
}

/* A little-endian number of 1 to 8 bytes. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_le(ByteReader *reader, gsize size, guint64 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, size, &bytes))
        return false;
    *value = 0;
    for (gsize i = 0; i < size; i++)
        *value |= (guint64)bytes[i] << (8 * i);
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_le16(ByteReader *reader, guint16 *value)
{
    guint64 wide;
    if (!byte_reader_le(reader, sizeof *value, &wide))
        return false;
    *value = (guint16)wide;
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_le32(ByteReader *reader, guint32 *value)
{
    guint64 wide;
    if (!byte_reader_le(reader, sizeof *value, &wide))
        return false;
    *value = (guint32)wide;
    return true;
}

G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_le64(ByteReader *reader, guint64 *value)
{
    return byte_reader_le(reader, sizeof *value, value);
}

/* MySQL's packed number: one byte up to 250, else 252, 253 or 254 and 2, 3 or 8 bytes. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_packed(ByteReader *reader, guint64 *value)
{
    ByteReader at = *reader;
    guint8 first;
    if (!byte_reader_u8(&at, &first) || first == 251 || first == 255)
        return false;
    *value = first;
    if (first > 251 && !byte_reader_le(&at, first == 252 ? 2 : first == 253 ? 3 : 8, value))
        return false;
    *reader = at;
    return true;
}

/* A part of the message, as a message of its own. */
G_GNUC_WARN_UNUSED_RESULT
static inline bool byte_reader_part(ByteReader *reader, guint64 size, ByteReader *part)
{
    const guint8 *bytes;
    if (size > byte_reader_left(reader) || !byte_reader_bytes(reader, (gsize)size, &bytes))
        return false;
    *part = byte_reader(bytes, (gsize)size);
    return true;
}
