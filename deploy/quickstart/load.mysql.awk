# SQL of one session of the quickstart's load, without end: place, pay, ship and cancel orders, about 75 transactions
# a second. Variables: seed, orders.
BEGIN {
    srand(seed)
    for (;;) {
        print "begin;"
        printf "insert into orders (customer_id) values (%d);\n", 1 + int(rand() * 1000)
        product = 1 + int(rand() * 1000)
        printf "insert into order_items values (last_insert_id(), 1, %d, 2, 19.99);\n", product
        printf "update products set stock = stock - 2 where id = %d;\n", product
        printf "update orders set status = 'paid', total = total + 1 where id = %d;\n", 1 + int(rand() * orders)
        printf "delete from orders where id = %d;\n", 1 + int(rand() * orders)
        print "commit; do sleep(0.013);"
        fflush()
    }
}
