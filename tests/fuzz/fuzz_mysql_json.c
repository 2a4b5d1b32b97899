/*
 * Any bytes as a binary JSON document of MySQL, and changes of it: it becomes text or an error is
 * set. An input is u16 size of the document, the document, changes.
 */
#include "capture/mysql/json.h"
#include "proto/byte_reader.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL, other = NULL;
    g_autoptr(GByteArray) text = g_byte_array_new();
    ByteReader reader = byte_reader(data, size), document;
    guint16 document_size;
    if (!byte_reader_le16(&reader, &document_size) ||
        !byte_reader_part(&reader, document_size, &document))
        return 0;
    bool good = mysql_json_append_text(document.data, document.size, text, &error);
    g_assert_true(good == (error == NULL));
    good = mysql_json_append_changed(document.data, document.size, reader.data + reader.offset,
                                     byte_reader_left(&reader), text, &other);
    g_assert_true(good == (other == NULL));
    return 0;
}
