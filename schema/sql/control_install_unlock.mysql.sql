do release_lock('drover.control.install')
