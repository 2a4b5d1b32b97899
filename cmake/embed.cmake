# drover_embed(TARGET EXTENSION FOLDER): every FOLDER/NAME.EXTENSION becomes the constant string
# embedded_NAME (a dot in NAME is a _ there), declared in the generated header <FOLDER>/embedded.h.
function(drover_embed TARGET EXTENSION FOLDER)
  file(GLOB FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${FOLDER}/*.${EXTENSION})
  set(HEADER ${CMAKE_BINARY_DIR}/${FOLDER}/embedded.h)
  add_custom_command(OUTPUT ${HEADER}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${HEADER} "-DFILES=${FILES}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake VERBATIM)
  target_sources(${TARGET} PRIVATE ${HEADER})
endfunction()
